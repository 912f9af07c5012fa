import numpy as np
import pytest

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.few_shot import few_shot
from msbreg_mm.evaluation.svm import svm_classify
from msbreg_mm.evaluation.svm_low_shot import svm_low_shot
from msbreg_mm.registry import PROBES

COSTS = (0.1, 1.0)


def features(seed: int, several: bool) -> FeatureSet:
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(9).normal(size=(5, 6))
    y = np.arange(200) % 5
    x = (means[y] + rng.normal(size=(200, 6))).astype(np.float32)
    labels = (y[:, None] == np.arange(5)).astype(np.int8) if several else y
    return FeatureSet(x, labels, tuple('abcde'), ('train', 'val')[seed])


def test_svm_probe() -> None:
    train, val = features(0, True), features(1, True)
    probe = PROBES.build(
        dict(type='msbreg_mm.SVMProbe', costs=COSTS, shots=[4], samples=2)
    )
    metrics = probe(train, val, 3)
    full = svm_classify(train, val, COSTS, seed=3)
    (low,) = svm_low_shot(train, val, [4], COSTS, samples=2, seed=3)
    assert metrics == {
        'svm/mAP': full.ap.mean(),
        'svm/mAP_interpolated': full.interpolated_ap.mean(),
        **{f'svm/AP_{name}': ap for name, ap in zip('abcde', full.ap, strict=True)},
        'svm/mAP_k4': low.best()[0],
        'svm/mAP_k4_std': low.best()[1],
        'svm/mAP_interpolated_k4': low.best(True)[0],
        'svm/mAP_interpolated_k4_std': low.best(True)[1],
        'svm/unconverged': full.unconverged + low.unconverged,
    }
    assert all(isinstance(value, float) for value in metrics.values())
    only = dict(type='msbreg_mm.SVMProbe', costs=COSTS, full=False, shots=[4])
    assert 'svm/mAP' not in PROBES.build(only)(train, val, 3)
    with pytest.raises(ValueError, match='nothing to do: set full=True or shots'):
        PROBES.build(dict(type='msbreg_mm.SVMProbe', full=False))


def test_few_shot_probe() -> None:
    train, val = features(0, False), features(1, False)
    probe = PROBES.build(
        dict(
            type='msbreg_mm.FewShotProbe',
            settings=[(5, 1), (3, 5)],
            episodes=50,
            classifiers=['centroid', 'logistic'],
        )
    )
    metrics = probe(train, val, 2)
    assert list(metrics) == [
        'fewshot/5w1s',
        'fewshot/5w1s_ci95',
        'fewshot/3w5s',
        'fewshot/3w5s_ci95',
        'fewshot/logistic_5w1s',
        'fewshot/logistic_5w1s_ci95',
        'fewshot/logistic_3w5s',
        'fewshot/logistic_3w5s_ci95',
    ]
    expected = few_shot(val, 3, 5, 15, 50, seed=2)
    assert metrics['fewshot/3w5s'] == expected.mean
    assert metrics['fewshot/3w5s_ci95'] == expected.interval
    with pytest.raises(ValueError, match=r"centroid, logistic, got \['knn'\]"):
        PROBES.build(dict(type='msbreg_mm.FewShotProbe', classifiers=['knn']))
    with pytest.raises(ValueError, match='must not be empty'):
        PROBES.build(dict(type='msbreg_mm.FewShotProbe', settings=[]))
