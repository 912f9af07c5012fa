import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

from msbreg_mm.analysis.measure import analyse, chance_agreement
from msbreg_mm.analysis.neighbours import (
    choose_queries,
    nearest_neighbours,
    neighbour_agreement,
)


def unit(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(shape, generator=rng), dim=-1)


def test_measures_agree_with_independent_formulas():
    z, views = unit(40, 6), unit(3, 40, 6, seed=1)
    found = analyse('a', z, views, None, queries=[0, 7], k=4)
    x = z.double().numpy()
    s = np.linalg.svd(x, compute_uv=False)
    p = s / s.sum()
    np.testing.assert_allclose(found.spectrum, s, rtol=1e-6)
    np.testing.assert_allclose(found.std, np.sort(x.std(axis=0))[::-1], rtol=1e-6)
    pairs = [(views[i] - views[j]).square().sum(-1).mean()
             for i, j in ((0, 1), (0, 2), (1, 2))]  # fmt: skip
    expected = {
        'effective_rank': np.exp(-(p * np.log(p)).sum()),
        'participation_ratio': (s**2).sum() ** 2 / (s**4).sum(),
        'largest_share': p[0],
        'uniformity': np.log(np.exp(-2 * pdist(x) ** 2).mean()),
        'std': x.std(axis=0).mean(),
        'mean_length': np.sqrt((x @ x.T).mean()),
        'alignment': np.mean(pairs),
    }
    assert found.measures == pytest.approx(expected, rel=1e-6)


def test_neighbours_are_those_of_scikit_learn():
    z = unit(300, 5)
    queries = list(range(0, 300, 7))
    reference = NearestNeighbors(n_neighbors=9, metric='cosine').fit(z.numpy())
    rows = reference.kneighbors(z[queries].numpy(), return_distance=False)
    np.testing.assert_array_equal(nearest_neighbours(z, queries, 8), rows[:, 1:])


def test_an_image_is_not_its_own_neighbour_and_ties_go_to_the_lower_row():
    z = F.normalize(torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]]), dim=-1)
    found = nearest_neighbours(z, [1, 3], 3)
    assert found.tolist() == [[0, 2, 3], [0, 1, 2]]


def test_agreement_by_hand_and_by_chance():
    z = F.normalize(torch.tensor([[1.0, 0.1], [1, 0], [0, 1], [0.1, 1], [1, 0.3]]))
    labels = np.array([0, 0, 1, 1, 2])
    # The last, alone in its class, cannot agree; its nearest is the first.
    assert neighbour_agreement(z, labels, 1) == pytest.approx(80)
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 400, p=[0.6, 0.3, 0.1])
    measured = neighbour_agreement(unit(400, 8), labels, 50)
    assert measured == pytest.approx(chance_agreement(labels), abs=2.5)
    assert chance_agreement(np.zeros(7, np.int64)) == pytest.approx(100)


def test_queries_are_spread_and_need_no_embedding():
    assert choose_queries(4, 100) == [12, 37, 62, 87]
    assert choose_queries(8, 3) == [0, 1, 2]


def test_one_image_class_and_few_images():
    found = analyse('a', unit(3, 4), labels=np.zeros(3, np.int64), queries=[0], k=6)
    assert found.measures['neighbour_agreement'] == 100
    assert found.neighbours.shape == (1, 2)
    assert 'alignment' not in found.measures


def test_collapse_is_measured_not_refused():
    z = F.normalize(torch.ones(10, 4), dim=-1)
    found = analyse('a', z, torch.stack([z, z]), queries=[0])
    assert found.measures['effective_rank'] == pytest.approx(1)
    assert found.measures['uniformity'] == pytest.approx(0, abs=1e-12)
    assert found.measures['mean_length'] == pytest.approx(1)
    assert np.isfinite(found.maps['pca']).all()
    z[3] = 0
    noted = analyse('a', z, queries=[0]).notes
    assert noted == ['1 of 10 embeddings are zero vectors']


def test_errors():
    z = unit(5, 3)
    with pytest.raises(ValueError, match=r'k must be from 1 to 4.*got 5'):
        nearest_neighbours(z, [0], 5)
    z[2, 1] = float('nan')
    with pytest.raises(ValueError, match='run 3: embeddings hold NaN'):
        analyse('run 3', z, queries=[0])
