import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.svm import (
    average_precision,
    count_unconverged,
    svm_classify,
)
from msbreg_mm.evaluation.svm_low_shot import low_shot_labels, svm_low_shot

COSTS = (0.01, 1.0, 100.0)


def blobs(
    images: int = 240, seed: int = 0, ignored: float = 0.1, name: str = 'train'
) -> FeatureSet:
    """Images with several of three labels, noisy features, some labels ignored."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(9).normal(size=(3, 6))
    labels = (rng.random((images, 3)) < 0.3).astype(np.int8)
    x = labels @ means + rng.normal(size=(images, 6))
    labels[(rng.random(labels.shape) < ignored) & (labels == 0)] = -1
    return FeatureSet(x.astype(np.float32), labels, ('cat', 'dog', 'bus'), name)


def vissl_ap(labels: np.ndarray, scores: np.ndarray) -> float:
    """VISSL's definition in loops: area under the falling envelope of precision."""
    order = np.argsort(-scores)
    hits = labels[order] == 1
    recalls, precisions = [0.0], [0.0]
    for n in range(1, len(hits) + 1):
        recalls.append(hits[:n].sum() / hits.sum())
        precisions.append(hits[:n].sum() / n)
    area = 0.0
    for n in range(1, len(recalls)):
        area += (recalls[n] - recalls[n - 1]) * max(precisions[n:])
    return area


def test_hand_computed_average_precision() -> None:
    labels = np.array([1, 0, -1, 1, 1])
    scores = np.array([4.0, 3.0, 2.5, 2.0, 1.0])
    # Ranked without the ignored one: hit, miss, hit, hit. Precision 1, 2/3, 3/4.
    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # The envelope lifts 2/3 to 3/4.
    interpolated = average_precision(labels, scores, interpolated=True)
    assert interpolated == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)


@pytest.mark.parametrize('seed', range(5))
def test_average_precision_against_scikit_learn_and_vissl(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(-1, 2, 200), rng.normal(size=200)
    kept = labels >= 0
    expected = average_precision_score(labels[kept], scores[kept])
    assert average_precision(labels, scores) == expected
    interpolated = average_precision(labels, scores, interpolated=True)
    assert interpolated == pytest.approx(vissl_ap(labels[kept], scores[kept]))
    assert interpolated >= expected


def test_order_of_images_does_not_matter_for_equal_scores() -> None:
    labels = np.array([1, 0, 1, 0, 0, 1])
    scores = np.array([2.0, 2.0, 1.0, 1.0, 1.0, 0.0])
    for interpolated in (False, True):
        values = {
            round(average_precision(labels[order], scores[order], interpolated), 12)
            for order in (np.random.default_rng(s).permutation(6) for s in range(20))
        }
        assert len(values) == 1


@pytest.mark.filterwarnings('ignore:Liblinear')  # the loop's own fits
@pytest.mark.parametrize('exclude', [False, True])
def test_agrees_with_the_protocol_written_out(exclude: bool) -> None:
    train, test = blobs(), blobs(seed=1)
    result = svm_classify(train, test, COSTS, exclude_ignored=exclude, seed=3)

    def unit(x: np.ndarray) -> np.ndarray:
        x = x.astype(float)
        return x / (np.sqrt((x * x).sum(1)) + 1e-5)[:, None]

    for c in range(3):
        y, t = train.labels[:, c], test.labels[:, c]
        rows = y >= 0 if exclude else y >= -1
        x, y = unit(train.features)[rows], np.where(y[rows] == 1, 1, -1)
        svms = [
            LinearSVC(
                C=cost,
                class_weight={1: 2, -1: 1},
                dual=True,
                max_iter=2000,
                random_state=3,
            )
            for cost in COSTS
        ]
        scores = [
            cross_val_score(svm, x, y, cv=3, scoring='average_precision').mean()
            for svm in svms
        ]
        assert result.cross_validation[c].tolist() == scores
        best = int(np.argmax(scores))
        assert result.costs[c] == COSTS[best]
        predicted = svms[best].fit(x, y).decision_function(unit(test.features))
        expected = average_precision_score(t[t >= 0], predicted[t >= 0])
        assert result.ap[c] == 100 * expected
    assert (result.interpolated_ap >= result.ap).all()
    assert result.ap.mean() > 60  # the labels alone give about 35


def test_scale_of_features_and_order_of_classes_do_not_matter() -> None:
    train, test = blobs(ignored=0), blobs(seed=1)
    result = svm_classify(train, test, COSTS)
    order = [2, 0, 1]

    def changed(features: FeatureSet) -> FeatureSet:
        names = tuple(features.classes[c] for c in order)
        return FeatureSet(
            features.features * 8, features.labels[:, order], names, features.name
        )

    other = svm_classify(changed(train), changed(test), COSTS)
    np.testing.assert_allclose(other.ap, result.ap[order], atol=0.05)


@pytest.mark.slow  # processes import torch
def test_processes_give_the_same_result() -> None:
    train, test = blobs(), blobs(seed=1)
    alone = svm_classify(train, test, COSTS, jobs=1)
    together = svm_classify(train, test, COSTS, jobs=2)
    assert alone.ap.tolist() == together.ap.tolist()
    assert alone.unconverged == together.unconverged


def test_other_warnings_are_not_swallowed() -> None:
    with pytest.warns(UserWarning, match='mind') as seen:
        collected = _warn()
    assert collected == ['far']
    assert [str(warning.message) for warning in seen] == ['mind']


def _warn() -> list[str]:
    with count_unconverged() as unconverged:
        warnings.warn('mind', UserWarning, stacklevel=1)
        warnings.warn('far', ConvergenceWarning, stacklevel=1)
    return unconverged


@pytest.mark.filterwarnings('error')
def test_unconverged_fits_are_counted_without_a_warning() -> None:
    train, test = blobs(), blobs(seed=1)
    result = svm_classify(train, test, (1.0, 1e3), max_iter=1)
    assert result.unconverged == 3 * (2 * 3 + 1)
    (low,) = svm_low_shot(train, test, [4], (1.0, 1e3), samples=2, max_iter=1)
    assert low.unconverged == 2 * 3 * 2
    assert svm_classify(train, test, (0.01,)).unconverged == 0


def test_one_label_an_image_is_one_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 5))
    y = rng.integers(0, 4, 200)
    x = (means[y] + rng.normal(size=(200, 5))).astype(np.float32)
    single = FeatureSet(x, y.astype(np.int64))
    several = FeatureSet(x, (y[:, None] == np.arange(4)).astype(np.int8))
    expected = svm_classify(several, several, COSTS)
    assert svm_classify(single, single, COSTS).ap.tolist() == expected.ap.tolist()


def test_low_shot_sample() -> None:
    train = blobs()
    drawn = low_shot_labels(train, 8, np.random.default_rng(0))
    for c in range(3):
        assert ((drawn[:, c] == 1).sum(), (drawn[:, c] == 0).sum()) == (8, 16)
        kept = drawn[:, c] >= 0
        assert (drawn[kept, c] == train.labels[kept, c]).all()
    again = low_shot_labels(train, 8, np.random.default_rng(0))
    assert (drawn == again).all()
    assert (drawn != low_shot_labels(train, 8, np.random.default_rng(1))).any()


@pytest.mark.filterwarnings('ignore:Liblinear')  # the loop's own fits
def test_low_shot_against_a_loop() -> None:
    train, test = blobs(), blobs(seed=1)
    results = svm_low_shot(train, test, (2, 16), COSTS, samples=3, seed=5)
    assert [result.k for result in results] == [2, 16]

    def unit(x: np.ndarray) -> np.ndarray:
        x = x.astype(float)
        return x / (np.linalg.norm(x, axis=1)[:, None] + 1e-5)

    result = results[1]
    assert result.maps.shape == (3, 3)
    for sample in range(3):
        rng = np.random.default_rng([5, 16, sample])
        drawn = low_shot_labels(train, 16, rng)
        for j, cost in enumerate(COSTS):
            aps = []
            for c in range(3):
                rows = drawn[:, c] != -1
                svm = LinearSVC(
                    C=cost,
                    class_weight={1: 2, 0: 1},
                    dual=True,
                    max_iter=2000,
                    random_state=5,
                ).fit(unit(train.features)[rows], drawn[rows, c])
                t = test.labels[:, c]
                scores = svm.decision_function(unit(test.features))
                aps.append(average_precision_score(t[t >= 0], scores[t >= 0]))
            assert result.maps[sample, j] == pytest.approx(100 * np.mean(aps))
    means = result.maps.mean(axis=0)
    mean, std = result.best()
    assert mean == pytest.approx(means.max())
    assert std == pytest.approx(result.maps[:, means.argmax()].std())
    assert results[1].best()[0] > results[0].best()[0]  # more images help
    assert result.best(interpolated=True)[0] >= mean


def test_bad_input() -> None:
    train, test = blobs(), blobs(seed=1, name='test')
    with pytest.raises(ValueError, match=r'costs must be positive, got \[0\.0\]'):
        svm_classify(train, test, [0.0])
    with pytest.raises(ValueError, match=r'costs must be positive, got \[\]'):
        svm_low_shot(train, test, [1], [])
    with pytest.raises(ValueError, match='folds must be at least 2, got 1'):
        svm_classify(train, test, COSTS, folds=1)
    with pytest.raises(ValueError, match='max_iter must be at least 1, got 0'):
        svm_classify(train, test, COSTS, max_iter=0)
    with pytest.raises(ValueError, match='jobs must be at least 1, got 0'):
        svm_classify(train, test, COSTS, jobs=0)
    with pytest.raises(ValueError, match='samples at least 1, got'):
        svm_low_shot(train, test, [1], COSTS, samples=0)
    with pytest.raises(ValueError, match='shots must not be empty'):
        svm_low_shot(train, test, [], COSTS)
    with pytest.raises(ValueError, match='k must be at least 1, got 0'):
        svm_low_shot(train, test, [0], COSTS)
    with pytest.raises(ValueError, match=r'3 of 3 classes .*positive images for k=500'):
        svm_low_shot(train, test, [500], COSTS)
    with pytest.raises(ValueError, match='at least one positive image'):
        average_precision(np.array([0, -1]), np.zeros(2))


def test_classes_with_too_few_images_are_named() -> None:
    train, test = blobs(), blobs(seed=1, name='test')
    labels = train.labels.copy()
    labels[labels[:, 1] == 1, 1] = 0
    labels[:2, 1] = 1
    two = FeatureSet(train.features, labels, train.classes, 'train')
    message = (
        r"train: 1 of 3 classes \('dog'\) .* positive images for 3 folds: at least 3"
    )
    with pytest.raises(ValueError, match=message):
        svm_classify(two, test, COSTS)
    labels[:, 1] = np.where(labels[:, 1] == 1, 1, -1)
    labels[:20, 1] = 1
    ignored = FeatureSet(train.features, labels, train.classes, 'train')
    assert svm_classify(ignored, test, COSTS).ap.shape == (3,)
    with pytest.raises(ValueError, match=r"'dog'.* negative images for 3 folds"):
        svm_classify(ignored, test, COSTS, exclude_ignored=True)
    none = test.labels.copy()
    none[:, 2] = np.minimum(none[:, 2], 0)
    unscored = FeatureSet(test.features, none, test.classes, 'test')
    with pytest.raises(ValueError, match=r"test: 1 of 3 classes \('bus'\).*to score"):
        svm_classify(train, unscored, COSTS)
