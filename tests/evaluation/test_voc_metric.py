import numpy as np
import pytest
import torch
from mmdet.evaluation import average_precision
from mmpretrain.structures import DataSample

from msbreg_mm.evaluation.voc_metric import VOC07AveragePrecision


def score(scores, labels, difficult=None, **options):
    """What a runner would log; ``labels`` and ``difficult`` list classes."""
    metric = VOC07AveragePrecision(**options)
    samples = []
    for index, (row, present) in enumerate(zip(scores, labels, strict=True)):
        sample = DataSample().set_pred_score(torch.tensor(row))
        sample.set_gt_label(torch.tensor(present, dtype=torch.long))
        sample = sample.to_dict()
        sample['gt_label_difficult'] = difficult[index] if difficult else []
        samples.append(sample)
    metric.process(None, samples)
    return metric.evaluate(len(samples))['multi-label/mAP_11']


def test_hand_computed():
    # Class 0: right, wrong, right -> precision 1 up to recall 1/2, then 2/3.
    scores = [[0.9, 0.1], [0.8, 0.9], [0.7, 0.2]]
    labels = [[0], [1], [0]]
    expected = 100 * ((6 * 1 + 5 * 2 / 3) / 11 + 1) / 2
    assert score(scores, labels) == pytest.approx(expected)


def test_agrees_with_mmdet():
    rng = np.random.default_rng(0)
    scores = rng.random((60, 5)).astype(np.float32)
    positive = rng.random((60, 5)) < 0.3
    expected = []
    for column, truth in zip(scores.T, positive.T, strict=True):
        hits = truth[np.argsort(-column)].cumsum()
        precision = hits / np.arange(1, 61)
        expected.append(average_precision(hits / hits[-1], precision, '11points'))
    labels = [np.flatnonzero(row).tolist() for row in positive]
    assert score(scores.tolist(), labels) == pytest.approx(100 * np.mean(expected))


def test_difficult_objects_are_left_out():
    scores = [[0.9, 0.1], [0.8, 0.9], [0.7, 0.2]]
    labels = [[0], [1], [0]]
    # Not scored as a mistake; a class that is also there without difficulty counts.
    assert score(scores, labels, [[0], [0], []]) == pytest.approx(100)
    # ssl-transfer scores it as a mistake.
    strict = score(scores, labels, [[0], [0], []], difficult_as_positive=False)
    assert strict == score(scores, labels)
    assert strict < 100


def test_no_positive_image():
    with pytest.raises(ValueError, match='needs a positive image'):
        score([[0.5, 0.5]], [[]])
