"""LOST and TokenCut by independent formulas, and CorLoc by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from msbreg_mm.evaluation.discovery import (
    Region,
    box_ious,
    is_located,
    lost,
    region_box,
    standardized,
    token_cut,
)
from msbreg_mm.utils.errors import DataError, OptionError

GRID = (7, 9)


def scene(noise: float = 0.05, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Features of an object of 3 x 3 patches before a larger ground."""
    rng = torch.Generator().manual_seed(seed)
    mask = np.zeros(GRID, bool)
    mask[2:5, 3:6] = True
    ground, thing = torch.eye(8)[0], torch.eye(8)[1] - 0.5 * torch.eye(8)[0]
    where = torch.from_numpy(mask).flatten()[:, None]
    features = torch.where(where, thing, ground)
    return features + noise * torch.randn(features.shape, generator=rng), mask


def grow(mask: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """Connected component of 4 neighbours, by walking."""
    found, front = {seed}, [seed]
    while front:
        y, x = front.pop()
        for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            inside = 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]
            if inside and mask[place] and place not in found:
                found.add(place)
                front.append(place)
    component = np.zeros_like(mask)
    component[tuple(np.array(sorted(found)).T)] = True
    return component


@pytest.mark.parametrize('find', [lost, token_cut])
def test_an_object_is_found(find):
    features, mask = scene()
    region = find(features, GRID)
    assert (region.mask == mask).all()
    assert mask[region.seed]


@pytest.mark.parametrize('k', [1, 5, 500])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_lost_is_the_formula(k, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(63, 4)).astype(np.float32)
    region = lost(torch.from_numpy(features), GRID, k)
    products = features @ features.T
    degree = [sum(products[p, q] > 0 for q in range(63) if q != p) for p in range(63)]
    start = region.seed[0] * GRID[1] + region.seed[1]
    assert degree[start] == min(degree)
    # Ties at the k-th place may go either way: take those that cannot matter.
    if k in (1, 500):
        near = [start] if k == 1 else range(63)
        votes = sum(products[q] for q in near if products[start, q] > 0)
        assert (region.mask == grow(votes.reshape(GRID) > 0, region.seed)).all()


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_token_cut_is_the_formula(seed):
    """By the symmetric form of the problem instead of the generalised one."""
    features, _ = scene(0.3, seed)
    region = token_cut(features, GRID)
    unit = F.normalize(features.double(), dim=1)
    weights = np.where((unit @ unit.T).numpy() > 0.2, 1.0, 1e-5)
    degree = weights.sum(axis=1)
    root = 1 / np.sqrt(degree)
    laplacian = np.eye(63) - root[:, None] * weights * root
    vector = root * np.linalg.eigh(laplacian)[1][:, 1]
    start = int(np.abs(vector).argmax())
    side = (vector > vector.mean()) == (vector[start] > vector.mean())
    place = divmod(start, GRID[1])
    assert (region.mask == grow(side.reshape(GRID), place)).all()


def test_scale_of_features_changes_nothing():
    features, _ = scene(0.3)
    for find in (lost, token_cut):
        one, other = find(features, GRID), find(4 * features, GRID)
        assert (one.mask == other.mask).all()
        assert one.seed == other.seed


def test_standardized_is_over_patches_and_channels():
    x = torch.rand(12, 5, generator=torch.Generator().manual_seed(0))
    expected = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
    assert torch.allclose(standardized(x), expected, atol=1e-5)


def test_boxes_are_edges_cut_at_the_image():
    mask = np.zeros((3, 4), bool)
    mask[1:3, 2:4] = True
    box = region_box(Region(mask, (1, 2)), (16, 10.5), (45, 41))
    assert box.tolist() == [21, 16, 41, 45]


def test_corloc_counts_one_half():
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]])
    assert box_ious(np.array([0, 0, 10, 20.0]), boxes).tolist() == [0.5, 0]
    assert is_located(np.array([0, 0, 10, 20.0]), boxes)
    assert not is_located(np.array([0, 0, 10, 20.1]), boxes)
    assert not is_located(np.array([0, 0, 10, 20.0]), np.zeros((0, 4)))
    assert box_ious(np.zeros(4), np.zeros((1, 4))).tolist() == [0]


@pytest.mark.parametrize('find', [lost, token_cut])
def test_degenerate_maps(find):
    """One patch, and features of zero."""
    assert find(torch.ones(1, 3), (1, 1)).mask.tolist() == [[True]]
    assert find(torch.zeros(12, 3), (3, 4)).mask.any()


@pytest.mark.parametrize('find', [lost, token_cut])
def test_bad_maps_are_errors(find):
    features, _ = scene()
    with pytest.raises(DataError, match=r'grid of 3 x 3 patches must be \(9, D\)'):
        find(features, (3, 3))
    features[4, 1] = float('nan')
    with pytest.raises(DataError, match='1 of 63 patches hold NaN'):
        find(features, GRID)


def test_bad_options_are_errors():
    features, _ = scene()
    with pytest.raises(OptionError, match='k_patches must be at least 1'):
        lost(features, GRID, 0)
    with pytest.raises(OptionError, match=r'tau must be in \[-1, 1\) and eps'):
        token_cut(features, GRID, tau=1)
    with pytest.raises(OptionError, match='eps in'):
        token_cut(features, GRID, eps=0)
