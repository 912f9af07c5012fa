import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from msbreg_mm.evaluation.scores import (
    average_precision_11,
    mean_average_precision,
    mean_class_accuracy,
    score,
)

RNG = np.random.default_rng(0)


def test_hand_computed():
    # Ranked: right, wrong, right. Precision 1 up to recall 1/2 (recalls 0 to 0.5,
    # six values), then 2/3 (five values).
    scores, labels = np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1], np.int8)
    assert average_precision_11(scores, labels) == pytest.approx((6 + 5 * 2 / 3) / 11)
    # The best score is wrong: no precision of 1 anywhere, not even at recall 0.
    assert average_precision_11(scores, 1 - labels) == pytest.approx(0.5)
    # An ignored image is as if it were not there.
    ignored = average_precision_11(
        np.array([3.0, 2.5, 2.0, 1.0]), np.array([1, -1, 0, 1], np.int8)
    )
    assert ignored == average_precision_11(scores, labels)
    # Classes of 3 and 1 images: (2/3 + 1) / 2.
    accuracy = mean_class_accuracy(np.array([0, 0, 1, 2]), np.array([0, 0, 0, 2]))
    assert accuracy == pytest.approx(100 * (2 / 3 + 1) / 2)


def test_agrees_with_mmdet_and_scikit_learn():
    from mmdet.evaluation.functional.mean_ap import average_precision

    for count in (3, 10, 40, 500):
        scores = RNG.normal(size=count)
        labels = (RNG.random(count) < 0.3).astype(np.int8)
        labels[0] = 1
        if count == 10:
            labels[:] = 1  # every recall is a tenth
            labels[np.argsort(-scores)[2:4]] = 0
        ranked = labels[np.argsort(-scores)]
        recall = np.cumsum(ranked) / ranked.sum()
        precision = np.cumsum(ranked) / np.arange(1, count + 1)
        expected = average_precision(recall, precision, '11points')
        assert average_precision_11(scores, labels) == pytest.approx(expected, 1e-6)
    labels, predictions = RNG.integers(0, 7, 300), RNG.integers(0, 7, 300)
    assert mean_class_accuracy(predictions, labels) == pytest.approx(
        100 * balanced_accuracy_score(labels, predictions)
    )


def test_tenths_are_those_of_the_published_code():
    """Ten positives: a recall of 3/10 does not reach the fourth of the tenths."""
    labels = np.array([1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])
    recall, precision = labels.cumsum() / 10, labels.cumsum() / np.arange(1, 12)
    thresholds = np.arange(0, 1.1, 0.1)  # detectron2's voc_ap
    expected = np.mean([precision[recall >= t].max() for t in thresholds])
    found = average_precision_11(-np.arange(11.0), labels)
    assert found == pytest.approx(expected, abs=1e-12)
    # Precision falls from 1 to 10/11 after the third positive: 3 values are 1, not 4.
    assert found == pytest.approx((3 + 8 * 10 / 11) / 11)


def test_mean_over_classes_with_a_positive():
    scores = RNG.normal(size=(50, 3))
    labels = (RNG.random((50, 3)) < 0.5).astype(np.int8)
    labels[:, 1] = 0
    each = [100 * average_precision_11(scores[:, c], labels[:, c]) for c in (0, 2)]
    assert mean_average_precision(scores, labels) == pytest.approx(np.mean(each))
    assert score('mAP', scores, labels) == pytest.approx(np.mean(each))


def test_by_name():
    scores, labels = np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([0, 0, 0])
    assert score('top1', scores, labels) == pytest.approx(200 / 3)
    assert score('mean_class', scores, labels) == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match="'mAP' does not fit one label an image; use"):
        score('mAP', scores, labels)
    with pytest.raises(ValueError, match="'top1' does not fit several labels an image"):
        score('top1', scores, np.zeros((3, 2), np.int8))
    with pytest.raises(ValueError, match='at least one positive image, got 0'):
        average_precision_11(scores[:, 0], labels)
    with pytest.raises(ValueError, match='needs a positive image, got 0'):
        mean_average_precision(scores, np.zeros((3, 2), np.int8))
