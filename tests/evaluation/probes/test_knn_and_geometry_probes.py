import numpy as np
import pytest
import torch
from torch.nn import functional as F

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.geometry import summarize
from msbreg_mm.evaluation.probes import GeometryProbe, KNNProbe


def features(count=60, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 8)).astype(np.float32)
    return FeatureSet(x, np.arange(count) % 3, ('a', 'b', 'c'), 'train', **kwargs)


def test_knn_reports_every_pair_and_the_first():
    train, val = features(), features(30, seed=1)
    metrics = KNNProbe(ks=(5, 1), temperatures=(0.1, 0.07))(train, val, seed=0)
    assert set(metrics) == {
        'knn/top1', 'knn/top1_k5_t0.1', 'knn/top1_k1_t0.1', 'knn/top1_k5_t0.07',
        'knn/top1_k1_t0.07',
    }  # fmt: skip
    assert metrics['knn/top1'] == metrics['knn/top1_k5_t0.1']
    own = KNNProbe(ks=(1,))(train, train, seed=0)
    assert own['knn/top1'] == 100


def test_knn_does_not_guess():
    train = features()
    with pytest.raises(
        ValueError, match=r'train: the bank has 60 images, fewer than k='
    ):
        KNNProbe()(train, train, 0)
    labels = np.ones((60, 3), np.int8)
    several = FeatureSet(train.features, labels, ('a', 'b', 'c'), 'voc')
    with pytest.raises(ValueError, match='voc: kNN votes for one class an image'):
        KNNProbe(ks=(1,))(several, several, 0)
    with pytest.raises(
        ValueError, match=r'ks must be numbers of at least 1, got \[0\]'
    ):
        KNNProbe(ks=(0,))
    with pytest.raises(ValueError, match=r'temperatures must be positive, got \[\]'):
        KNNProbe(temperatures=())


def test_geometry_is_that_of_the_validation_set():
    val = features(40, seed=1)
    x = torch.from_numpy(val.features)
    expected = summarize(F.normalize(x, dim=1))
    found = GeometryProbe()(features(), val, 0)
    assert found == {f'geometry/{name}': value for name, value in expected.items()}
    plain = GeometryProbe(normalize=False)(features(), val, 0)
    assert plain['geometry/effective_rank'] == summarize(x)['effective_rank']
    few = GeometryProbe(max_images=15)(features(), val, 0)
    assert few['geometry/std'] == pytest.approx(summarize(F.normalize(x[::3]))['std'])


def test_geometry_errors():
    with pytest.raises(ValueError, match='max_images must be at least 2, got 1'):
        GeometryProbe(max_images=1)
    with pytest.raises(ValueError, match='train: geometry compares images and needs'):
        GeometryProbe()(features(), features(1), 0)
