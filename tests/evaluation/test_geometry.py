import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.evaluation import (
    alignment,
    effective_rank,
    largest_share,
    participation_ratio,
    per_dimension_std,
    singular_values,
    spectrum_measures,
    summarize,
    uniformity,
)
from msbreg_mm.models.losses import singular_value_loss


def unit(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return F.normalize(noise, dim=-1)


def digits() -> Tensor:
    """Real features of fast-falling spectrum, some dimensions constant."""
    return F.normalize(torch.tensor(load_digits().data), dim=-1)


def test_hand_computed_spectrum_measures() -> None:
    spectrum = torch.tensor([3.0, 1.0, 0.0])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert spectrum_measures(spectrum) == pytest.approx(
        {
            'effective_rank': math.exp(entropy),
            'largest_share': 0.75,
            'participation_ratio': 100 / 82,
        }
    )
    assert spectrum_measures(torch.full((5,), 0.3)) == pytest.approx(
        {'effective_rank': 5, 'largest_share': 0.2, 'participation_ratio': 5}
    )


def test_measures_of_embeddings_are_those_of_their_spectrum() -> None:
    z = unit(30, 8)
    expected = spectrum_measures(torch.linalg.svdvals(z.double()))
    assert effective_rank(z) == pytest.approx(expected['effective_rank'])
    assert largest_share(z) == pytest.approx(expected['largest_share'])
    assert participation_ratio(z) == pytest.approx(expected['participation_ratio'])
    with pytest.raises(ValueError, match=r'\(images, dimensions\).*got \(3,\)'):
        effective_rank(torch.ones(3))


def test_hand_computed_pair_measures() -> None:
    # Distances squared: 2, 2, 4
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    expected = math.log((2 * math.exp(-4) + math.exp(-8)) / 3)
    assert uniformity(z) == pytest.approx(expected)
    expected = math.log((2 * math.exp(-2) + math.exp(-4)) / 3)
    assert uniformity(z, t=1) == pytest.approx(expected)
    # Pairs of views: |z0 - z1|^2 = 2, |z0 - z2|^2 = 4, |z1 - z2|^2 = 2
    assert alignment(z[:, None]) == pytest.approx(8 / 3)
    # Columns (1, 0, -1) and (0, 1, 0)
    std = per_dimension_std(z)
    assert std.tolist() == pytest.approx([math.sqrt(2 / 3), math.sqrt(2 / 9)])


@pytest.mark.parametrize(('n', 'd'), [(10, 30), (30, 10), (16, 16)])
def test_singular_values_agree_with_svd(n: int, d: int) -> None:
    z = unit(n, d)
    expected = torch.linalg.svdvals(z.double())
    torch.testing.assert_close(singular_values(z), expected)


def test_agrees_with_numpy_and_scipy_on_real_features() -> None:
    z = digits()
    spectrum = singular_values(z)
    sigma = np.linalg.svd(z.numpy(), compute_uv=False)
    # The Gram matrix resolves values down to about 1e-8 of the largest.
    np.testing.assert_allclose(spectrum.numpy(), sigma, atol=2e-7 * sigma[0])
    p = sigma[sigma > 1e-12] / sigma.sum()
    rank = float(np.exp(-(p * np.log(p)).sum()))
    assert effective_rank(z) == pytest.approx(rank, rel=1e-5)
    assert participation_ratio(z) == pytest.approx(
        (sigma**2).sum() ** 2 / (sigma**4).sum()
    )
    expected = np.log(np.exp(-2 * pdist(z.numpy(), 'sqeuclidean')).mean())
    assert uniformity(z) == pytest.approx(expected)
    np.testing.assert_allclose(per_dimension_std(z).numpy(), z.numpy().std(axis=0))


def test_uniformity_of_several_blocks_and_of_copies() -> None:
    z = unit(1300, 4)
    expected = np.log(np.exp(-2 * pdist(z.double().numpy(), 'sqeuclidean')).mean())
    assert uniformity(z) == pytest.approx(expected)
    assert uniformity(z[:1].expand(9, 4)) == pytest.approx(0, abs=1e-9)


def test_alignment_agrees_with_pairs() -> None:
    z = unit(4, 6, 5)
    pairs = [(a, b) for a in range(4) for b in range(a)]
    distances = [(z[a] - z[b]).square().sum(dim=-1).mean() for a, b in pairs]
    assert alignment(z) == pytest.approx(float(torch.stack(distances).mean()))
    assert alignment(z[:1].expand(3, 6, 5)) == pytest.approx(0, abs=1e-12)


def test_participation_ratio_belongs_to_the_singular_value_loss() -> None:
    z = unit(20, 6)
    loss = singular_value_loss(z[None]).item()
    assert participation_ratio(z) == pytest.approx(6 / (loss + 1))


def test_invariances() -> None:
    z = unit(3, 12, 6)
    rotation = torch.linalg.qr(unit(6, 6, seed=9)).Q
    expected = summarize(z)
    for other in (z[:, torch.randperm(12)], z[[2, 0, 1]]):
        assert summarize(other) == pytest.approx(expected)
    rotated = summarize(z @ rotation)
    rotated['std'] = expected['std']  # belongs to the axes
    assert rotated == pytest.approx(expected)


def test_summarize_of_spread_and_of_collapsed_embeddings() -> None:
    spread = summarize(unit(2, 4000, 16))
    assert set(spread) == {
        'alignment',
        'effective_rank',
        'largest_share',
        'participation_ratio',
        'std',
        'uniformity',
    }
    assert spread['effective_rank'] == pytest.approx(16, rel=0.01)
    assert spread['largest_share'] == pytest.approx(1 / 16, rel=0.1)
    assert spread['std'] == pytest.approx(0.25, rel=0.01)
    assert spread['alignment'] == pytest.approx(2, rel=0.02)
    collapsed = summarize(unit(1, 16).expand(100, 16))
    assert 'alignment' not in collapsed
    assert collapsed['effective_rank'] == pytest.approx(1, abs=1e-4)
    assert collapsed['largest_share'] == pytest.approx(1, abs=1e-4)
    assert collapsed['participation_ratio'] == pytest.approx(1, abs=1e-4)
    assert collapsed['uniformity'] == pytest.approx(0, abs=1e-6)
    assert collapsed['std'] == pytest.approx(0, abs=1e-6)


def test_half_precision_and_graphs_are_accepted() -> None:
    z = unit(40, 8).requires_grad_()
    expected = summarize(z.detach())
    assert summarize(z) == pytest.approx(expected)
    assert summarize(z.half()) == pytest.approx(expected, rel=1e-2)
    assert not singular_values(z).requires_grad
    assert not per_dimension_std(z).requires_grad


def test_zero_embeddings() -> None:
    zeros = torch.zeros(4, 3)
    assert effective_rank(zeros) == 0
    assert participation_ratio(zeros) == 0
    assert largest_share(zeros) == 1


def test_errors() -> None:
    bad = unit(4, 3)
    bad[2, 1] = torch.nan
    for function in (singular_values, uniformity, per_dimension_std, summarize):
        with pytest.raises(ValueError, match='embeddings hold NaN or infinity'):
            function(bad)
    with pytest.raises(ValueError, match='needs at least 2, got 1'):
        uniformity(unit(1, 3))
    with pytest.raises(ValueError, match='compares views and needs at least 2, got 1'):
        alignment(unit(1, 4, 3))
    with pytest.raises(ValueError, match=r'\(images, dimensions\).*got \(3,\)'):
        singular_values(torch.ones(3))
    with pytest.raises(ValueError, match=r'\(views, images, dimensions\).*\(4, 3\)'):
        alignment(unit(4, 3))
    with pytest.raises(ValueError, match=r'got \(2, 0, 3\)'):
        summarize(torch.ones(2, 0, 3))
    with pytest.raises(ValueError, match=r'got \(2, 2, 2, 3\)'):
        summarize(torch.ones(2, 2, 2, 3))
