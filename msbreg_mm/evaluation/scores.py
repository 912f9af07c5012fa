"""Accuracies of class scores, all in percent."""

import numpy as np

from msbreg_mm.utils.errors import OptionError

METRICS = ('top1', 'mean_class', 'mAP')


def score(metric: str, scores: np.ndarray, labels: np.ndarray) -> float:
    """Compute one metric by name.

    Args:
        metric: ``'top1'`` or ``'mean_class'``; ``'mAP'`` of images with several
            labels.
        scores: (N, C), larger is more likely.
        labels: As in :class:`msbreg_mm.evaluation.features.FeatureSet`.

    Returns:
        Percent.

    Raises:
        OptionError: If the metric is unknown or does not fit the labels.
    """
    fits = METRICS[2:] if labels.ndim == 2 else METRICS[:2]
    if metric not in fits:
        kind = 'several labels an image' if labels.ndim == 2 else 'one label an image'
        raise OptionError(f'metric {metric!r} does not fit {kind}; use one of {fits}')
    if metric == 'mAP':
        return mean_average_precision(scores, labels)
    predictions = scores.argmax(axis=1)
    if metric == 'top1':
        return 100 * float((predictions == labels).mean())
    return mean_class_accuracy(predictions, labels)


def mean_class_accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the share of their images that are right.

    Args:
        predictions: (N,) classes.
        labels: (N,) true classes; those without an image are left out.

    Returns:
        Percent.
    """
    counts = np.bincount(labels)
    right = np.bincount(labels[predictions == labels], minlength=len(counts))
    present = counts > 0
    return 100 * float((right[present] / counts[present]).mean())


def average_precision_11(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average of the largest precision at recalls of at least 0, 0.1, …, 1.

    Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV
    2010, Section 4.2. Tenths are those of the published code, multiples of 0.1 in
    floating point (the devkit's ``0:0.1:1``, ``numpy.arange`` in detectron2 and
    mmdet), of which the fourth, seventh and eighth lie above 3/10, 6/10 and 7/10: a
    recall of exactly 3/10 does not reach it. ssl-transfer's code differs: a last
    point of precision 1 and recall 0, which scikit-learn appends to the curve,
    counts there, so its first of the eleven values is always 1.

    Args:
        scores: (N,), larger is more likely positive.
        labels: (N,), 1 positive, 0 negative, -1 left out.

    Returns:
        Fraction in [0, 1].

    Raises:
        ValueError: If no image is positive.
    """
    from sklearn.metrics import precision_recall_curve

    known = labels >= 0
    if not (labels == 1).any():
        raise ValueError('average precision needs at least one positive image, got 0')
    precision, recall, _ = precision_recall_curve(labels[known], scores[known])
    # The last point is no threshold.
    precision, recall = precision[:-1], recall[:-1]
    tenths = np.arange(11) * 0.1
    return float(np.mean([precision[recall >= t].max() for t in tenths]))


def mean_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of :func:`average_precision_11` over classes with a positive image.

    Args:
        scores: (N, C).
        labels: (N, C), 1 positive, 0 negative, -1 left out.

    Returns:
        Percent.

    Raises:
        ValueError: If no class has a positive image.
    """
    present = np.flatnonzero((labels == 1).any(axis=0))
    if not present.size:
        raise ValueError('mean average precision needs a positive image, got 0')
    return 100 * float(
        np.mean([average_precision_11(scores[:, c], labels[:, c]) for c in present])
    )
