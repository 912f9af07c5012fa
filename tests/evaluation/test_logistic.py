import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.logistic import L2_GRID, fit_logistic, split_validation
from msbreg_mm.evaluation.logistic_solvers import SklearnSolver, TorchSolver
from msbreg_mm.evaluation.probes import LogisticProbe
from msbreg_mm.evaluation.scores import average_precision_11, score

SOLVERS = {'sklearn': SklearnSolver, 'torch': TorchSolver}


def blobs(count=120, classes=3, dim=6, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    means = np.random.default_rng(9).normal(size=(classes, dim))
    features = means[labels] + rng.normal(size=(count, dim))
    return FeatureSet(features.astype(np.float32), labels, **kwargs)


def several(count=90, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)).astype(np.float32)
    noise = rng.normal(size=(count, 4))
    labels = (features[:, :4] + noise > 0.5).astype(np.int8)
    labels[rng.random(labels.shape) < 0.1] = -1
    return FeatureSet(features, labels, ('a', 'b', 'c', 'd'), **kwargs)


def reference(train, l2, **kwargs):
    """scikit-learn's exact minimum, by Newton's method from zeros."""
    model = LogisticRegression(
        C=1 / l2, solver='newton-cholesky', tol=1e-10, max_iter=500, **kwargs
    )
    return model.fit(train.features.astype(np.float64), train.labels)


def test_grid_is_that_of_ssl_transfer():
    np.testing.assert_allclose(sorted(L2_GRID), np.logspace(-6, 5, 45))


@pytest.mark.parametrize('name', SOLVERS)
@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize('warm', [False, True])
def test_solvers_find_the_minimum(name, classes, warm):
    train = blobs(classes=classes)
    x = train.features.astype(np.float64)
    solver = SOLVERS[name](tol=1e-8)
    start = solver.fit(x, train.labels, classes, 10.0)[0] if warm else None
    weights, converged = solver.fit(x, train.labels, classes, 0.3, start)
    expected = reference(train, 0.3)
    assert converged
    np.testing.assert_allclose(weights[:, :-1], expected.coef_, atol=2e-5)
    # With several classes a constant may be added to all biases.
    bias = weights[:, -1] - expected.intercept_
    np.testing.assert_allclose(bias, bias[0] if classes > 2 else 0, atol=2e-5)


def test_gradient_of_the_objective_vanishes_at_the_minimum():
    """An independent formula: softmax regression by autograd."""
    import torch

    train = blobs()
    x = train.features.astype(np.float64)
    weights, _ = TorchSolver(tol=1e-9).fit(x, train.labels, 3, 0.7)
    w = torch.tensor(weights, requires_grad=True)
    logits = torch.tensor(x) @ w[:, :-1].T + w[:, -1]
    loss = torch.nn.functional.cross_entropy(
        logits, torch.tensor(train.labels), reduction='sum'
    )
    (loss + 0.35 * w[:, :-1].square().sum()).backward()
    assert w.grad.abs().max() < 1e-5


def test_agrees_with_scikit_learn_on_real_features(cifar_features):
    train, val = cifar_features
    test = val.features.astype(np.float64)
    solver, start = TorchSolver(), None
    for l2 in (30.0, 1e-2):
        start, converged = solver.fit(
            train.features.astype(np.float64), train.labels, 10, l2, start
        )
        assert converged
        got = (test @ start[:, :-1].T + start[:, -1]).argmax(axis=1)
        expected = reference(train, l2).predict(test)
        np.testing.assert_array_equal(got, expected)


def test_path_is_scikit_learns_own(cifar_features):
    """The protocol by hand: fit, choose, refit, with cold starts and 3 penalties."""
    train, val = cifar_features
    train = train.take(np.arange(600))
    split = split_validation(train, seed=1)
    grid = (1.0, 30.0, 1e4)
    found = [
        100 * reference(train.take(~split), l2).score(
            train.features[split], train.labels[split]
        )
        for l2 in grid
    ]  # fmt: skip
    result = fit_logistic(train, split, val, TorchSolver(), 'top1', grid)
    np.testing.assert_allclose(result.validation, found)
    best = grid[max(range(3), key=lambda i: (found[i], grid[i]))]
    assert result.l2 == best
    expected = reference(train, best).predict(val.features.astype(np.float64))
    np.testing.assert_array_equal(result.scores.argmax(axis=1), expected)
    metrics = LogisticProbe(l2_grid=grid)(train, val, 1)
    accuracy = 100 * (expected == val.labels).mean()
    assert metrics['logistic/top1'] == pytest.approx(accuracy)
    assert metrics['logistic/l2'] == best
    assert metrics['logistic/validation'] == pytest.approx(max(found))
    assert metrics['logistic/unconverged'] == 0


def test_plain_scikit_learn_gives_the_same_predictions(cifar_features):
    """LogisticRegression as anyone calls it, with the same solver settings."""
    train, val = cifar_features
    plain = LogisticRegression(C=1 / 30.0, max_iter=1000, tol=1e-4)
    plain.fit(train.features.astype(np.float64), train.labels)
    result = fit_logistic(train, None, val, SklearnSolver(), l2_grid=(30.0,))
    np.testing.assert_array_equal(
        result.scores.argmax(axis=1), plain.predict(val.features.astype(np.float64))
    )


@pytest.mark.parametrize('name', SOLVERS)
def test_several_labels_are_one_regression_per_class(name):
    train, test = several(), several(seed=1)
    result = fit_logistic(train, None, test, SOLVERS[name](tol=1e-8), l2_grid=(0.5,))
    for c in range(4):
        known = train.labels[:, c] >= 0
        part = FeatureSet(train.features[known], train.labels[known, c].astype(int))
        expected = reference(part, 0.5).decision_function(test.features.astype(float))
        np.testing.assert_allclose(result.scores[:, c], expected, atol=1e-4)
    metrics = LogisticProbe(l2_grid=(0.1, 0.5), solver=name)(train, test, 0)
    assert set(metrics) == {
        'logistic/mAP', 'logistic/l2', 'logistic/validation', 'logistic/unconverged',
    }  # fmt: skip
    ap = [
        average_precision_11(result.scores[:, c], test.labels[:, c]) for c in range(4)
    ]
    assert score('mAP', result.scores, test.labels) == pytest.approx(100 * np.mean(ap))


def test_two_classes_have_two_scores():
    train, test = blobs(classes=2), blobs(classes=2, seed=1)
    scores = fit_logistic(train, None, test, TorchSolver(), l2_grid=(1.0,)).scores
    assert scores.shape == (120, 2)
    expected = reference(train, 1.0).predict(test.features.astype(float))
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)


def test_order_of_the_grid_does_not_matter_and_ties_go_to_the_stronger():
    train, test = blobs(), blobs(seed=1)
    split = split_validation(train, 0)
    falling = fit_logistic(train, split, test, TorchSolver(), l2_grid=(9.0, 1.0, 0.1))
    rising = fit_logistic(train, split, test, TorchSolver(), l2_grid=(0.1, 1.0, 9.0))
    np.testing.assert_array_equal(falling.validation, rising.validation[::-1])
    assert falling.l2 == rising.l2
    tied = fit_logistic(train, split, test, TorchSolver(), l2_grid=(1.0, 1.0001))
    assert tied.validation[0] == tied.validation[1]
    assert tied.l2 == 1.0001


def test_fits_that_do_not_converge_are_counted():
    train = blobs()
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # scikit-learn's warning is counted, not shown
        for name in SOLVERS:
            probe = LogisticProbe(l2_grid=(1.0, 1e-4), solver=name, max_iter=2)
            assert probe(train, train, 0)['logistic/unconverged'] == 3


def test_validation_split():
    train = blobs(count=100, classes=4)
    split = split_validation(train, seed=3)
    assert np.bincount(train.labels[split]).tolist() == [5, 5, 5, 5]
    np.testing.assert_array_equal(split, split_validation(train, seed=3))
    assert (split != split_validation(train, seed=4)).any()
    # Two images of a class: one each. An official split is taken as it is.
    assert split_validation(blobs(count=4, classes=2), 0).sum() == 2
    official = split_validation(blobs(count=100, parts=(70, 30)), seed=0)
    assert np.flatnonzero(official).tolist() == list(range(70, 100))
    assert split_validation(several(count=50), 0).sum() == 10


def test_bad_input():
    train, solver = blobs(), TorchSolver()
    mask = split_validation(train, 0)
    single = FeatureSet(
        train.features[:5], np.array([0, 0, 1, 1, 2]), ('a', 'b', 'c'), 'train'
    )
    match = r"train: 1 of 3 classes \('c'\) have a single image.*ConcatDataset"
    with pytest.raises(ValueError, match=match):
        LogisticProbe()(single, single, 0)
    assert 'logistic/top1' in LogisticProbe(l2_grid=(1.0,))(single, single, 0)
    whole = FeatureSet(train.features, train.labels, ('a', 'b', 'c'), 'train')
    match = r"\('b'\) have no image to fit on beside the validation split"
    with pytest.raises(ValueError, match=match):
        fit_logistic(whole, train.labels == 1, whole, solver)
    one = FeatureSet(train.features, np.zeros(120, np.int64))
    with pytest.raises(ValueError, match='one class only; a classifier needs'):
        fit_logistic(one, None, one, solver, l2_grid=(1.0,))
    labels = np.ones((120, 2), np.int8)
    labels[:5, 0] = 0
    all_positive = FeatureSet(train.features, labels, ('x', 'y'))
    with pytest.raises(ValueError, match=r"\('y'\) have no positive or no negative im"):
        fit_logistic(all_positive, None, all_positive, solver, l2_grid=(1.0,))
    with pytest.raises(ValueError, match='chooses from several l2 values, got 1'):
        fit_logistic(train, mask, train, solver, l2_grid=(1.0,))
    with pytest.raises(ValueError, match='chooses from several l2 values, got 2'):
        fit_logistic(train, None, train, solver, l2_grid=(1.0, 2.0))
    with pytest.raises(ValueError, match="'mAP' does not fit one label an image"):
        fit_logistic(train, mask, train, solver, 'mAP')
    for kwargs, match in (
        (dict(l2_grid=(1.0, 0.0)), 'l2_grid must be positive numbers'),
        (dict(metric='top5'), "metric must be 'top1', .* got 'top5'"),
        (dict(solver='saga'), "solver must be .* got 'saga'"),
        (dict(validation_fraction=1.0), r'validation_fraction must be in \(0, 1\)'),
        (dict(max_iter=0), 'max_iter must be at least 1, got 0'),
    ):
        with pytest.raises(ValueError, match=match):
            LogisticProbe(**kwargs)


def test_rows_of_one_image_stay_together():
    """A list that names images twice: no validation image is fitted on."""
    rng = np.random.default_rng(0)
    numbers = np.concatenate([np.arange(60), rng.integers(0, 60, 30)])
    whole = blobs(60)
    train = FeatureSet(
        whole.features[numbers], whole.labels[numbers], images=numbers.astype(np.int64)
    )
    mask = split_validation(train, seed=3)
    assert not set(numbers[mask]) & set(numbers[~mask])
    # The files are drawn as they are where each stands once.
    np.testing.assert_array_equal(mask[:60], split_validation(whole, seed=3))
    once = FeatureSet(whole.features, whole.labels, images=np.arange(60))
    np.testing.assert_array_equal(
        split_validation(once, seed=3), split_validation(whole, seed=3)
    )
    # One image that stands twice cannot be both fitted and validated on.
    twice = FeatureSet(
        whole.features[[0, 0, 1, 4]], whole.labels[[0, 0, 1, 4]],
        images=np.array([0, 0, 1, 2]),
    )  # fmt: skip
    with pytest.raises(ValueError, match='have a single image'):
        split_validation(twice, seed=0)


def test_ignored_labels_as_negative():
    """ssl-transfer's VOC2007: what is only difficult is no object."""
    train, val = several(), several(seed=1)
    negative = [
        FeatureSet(part.features, np.maximum(part.labels, 0), part.classes)
        for part in (train, val)
    ]
    options = {'metric': 'mAP', 'l2_grid': (1.0,)}
    found = LogisticProbe(ignored_as_negative=True, **options)(train, val, 0)
    assert found == LogisticProbe(**options)(*negative, 0)
    assert found != LogisticProbe(**options)(train, val, 0)
