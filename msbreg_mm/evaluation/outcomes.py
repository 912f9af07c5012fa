"""What each test image contributed to a metric, so that images can be drawn anew.

Every kind scores itself under weights of its images: weight 1 for all gives the
evaluator's value, and the counts of a bootstrap sample that of the sample.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np

from msbreg_mm.utils.errors import DamagedFileError
from msbreg_mm.utils.files import write_bytes

# Files of a run: what each image contributed, and a few maps to look at.
OUTCOMES, SEGMENTATIONS = 'outcomes.npz', 'segmentations.npz'
# Weights that are scored together; bounds the memory.
_CHUNK = 50
_RECALLS = np.linspace(0, 1, 101)
_TENTHS = np.arange(0, 1 + 1e-3, 0.1)  # with mmdet's rounding


class Outcomes(ABC):
    """Per-image outcomes of one run; subclasses are dataclasses of arrays.

    Attributes:
        images: Name or number of each image (N,), in a fixed order.
    """

    kind: ClassVar[str]
    images: np.ndarray

    @abstractmethod
    def score(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the metrics under weights of the images.

        Args:
            weights: (B, N), at least 0.

        Returns:
            Metric → (B,), as the evaluator logs it; NaN where nothing is defined.
        """

    def save(self, path: str | Path) -> None:
        """Write a ``.npz`` file, whole or not at all."""
        buffer = BytesIO()
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        np.savez_compressed(buffer, kind=np.array(self.kind), **arrays)
        write_bytes(path, buffer.getvalue())


@dataclass(frozen=True)
class Hits(Outcomes):
    """Which images were classified right.

    Attributes:
        images: (N,).
        labels: True classes (N,).
        keys: Names of the metrics (M,).
        hits: (M, N) booleans.
        by_class: Whether a metric is a mean over classes (M,).
    """

    kind: ClassVar[str] = 'hits'
    images: np.ndarray
    labels: np.ndarray
    keys: np.ndarray
    hits: np.ndarray
    by_class: np.ndarray

    def score(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """See :class:`Outcomes`; in percent."""
        weights = weights.astype(np.float64)
        classes = np.eye(int(self.labels.max()) + 1)[self.labels]
        counts = weights @ classes
        found = {}
        for key, hits, by_class in zip(
            self.keys, self.hits, self.by_class, strict=True
        ):
            if by_class:
                right = weights @ (classes * hits[:, None])
                with np.errstate(invalid='ignore', divide='ignore'):
                    found[str(key)] = 100 * np.nanmean(right / counts, axis=1)
            else:
                found[str(key)] = 100 * (weights @ hits) / weights.sum(axis=1)
        return found


@dataclass(frozen=True)
class Pixels(Outcomes):
    """Areas of semantic segmentation, whose sums over images make mIoU.

    Attributes:
        images: (N,).
        areas: Pixels of intersection, prediction and truth, (N, 3, C).
        classes: Names (C,).
    """

    kind: ClassVar[str] = 'pixels'
    images: np.ndarray
    areas: np.ndarray
    classes: np.ndarray

    def score(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """See :class:`Outcomes`; in percent, as mmseg's IoUMetric without rounding."""
        with np.errstate(invalid='ignore', divide='ignore'):
            ious = self._ious(weights)
            right, _, truth = self._sums(weights)
            return {
                'mIoU': 100 * np.nanmean(ious, axis=1),
                'mAcc': 100 * np.nanmean(right / truth, axis=1),
                'aAcc': 100 * right.sum(axis=1) / truth.sum(axis=1),
            }

    def per_class(self) -> dict[str, float]:
        """IoU of each class in percent; absent classes are left out."""
        with np.errstate(invalid='ignore', divide='ignore'):
            values = 100 * self._ious(np.ones((1, len(self.images))))[0]
        named = zip(self.classes, values, strict=True)
        return {str(name): float(iou) for name, iou in named if np.isfinite(iou)}

    def _sums(self, weights: np.ndarray) -> np.ndarray:
        flat = self.areas.reshape(len(self.images), -1).astype(np.float64)
        sums = weights.astype(np.float64) @ flat
        return sums.reshape(len(weights), 3, -1).transpose(1, 0, 2)

    def _ious(self, weights: np.ndarray) -> np.ndarray:
        right, predicted, truth = self._sums(weights)
        return right / (predicted + truth - right)


@dataclass(frozen=True)
class Detections(Outcomes):
    """Detections that are matched with objects, at several IoUs.

    Attributes:
        images: (N,).
        classes: Names (C,).
        image: Row of each detection's image (n,); detections stand in the order of
            the images, as the evaluator joins them.
        label: Its class (n,).
        scores: Its score (n,).
        right: Whether it found an object, at each IoU, (T, n).
        ignored: Whether it does not count, at each IoU, (T, n).
        positives: Objects of each image and class that count, (N, C).
        keys: Metrics at all IoUs together (first) and at single ones.
        at: For each key the row of its IoU; -1 for the mean over IoUs.
        style: ``'coco'`` for 101 recalls, ``'area'`` or ``'11points'`` of VOC.
    """

    kind: ClassVar[str] = 'detections'
    images: np.ndarray
    classes: np.ndarray
    image: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    positives: np.ndarray
    keys: np.ndarray
    at: np.ndarray
    style: np.ndarray

    def score(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """See :class:`Outcomes`; fractions."""
        parts = [
            self._by_iou(weights[i : i + _CHUNK])
            for i in range(0, len(weights), _CHUNK)
        ]
        by_iou = np.concatenate(parts)
        return {
            str(key): by_iou.mean(axis=1) if at < 0 else by_iou[:, at]
            for key, at in zip(self.keys, self.at, strict=True)
        }

    def per_class(self) -> dict[str, float]:
        """AP of each class in percent, mean over IoUs; absent classes are left out."""
        ones = np.ones((1, len(self.images)), np.float32)
        values = {
            str(name): float(100 * self._class_ap(c, ones)[0].mean())
            for c, name in enumerate(self.classes)
        }
        return {name: ap for name, ap in values.items() if np.isfinite(ap)}

    def _by_iou(self, weights: np.ndarray) -> np.ndarray:
        """Mean over the classes that have objects, (B, T)."""
        weights = weights.astype(np.float32)
        total = np.zeros((len(weights), len(self.right)))
        present = np.zeros((len(weights), 1))
        for c in range(len(self.classes)):
            ap = self._class_ap(c, weights)
            there = np.isfinite(ap[:, :1])
            total += np.where(there, ap, 0)
            present += there
        with np.errstate(invalid='ignore', divide='ignore'):
            return total / present

    def _class_ap(self, c: int, weights: np.ndarray) -> np.ndarray:
        """AP of a class, (B, T); NaN where it has no object."""
        positives = weights @ self.positives[:, c].astype(np.float32)
        mine = self._sorted(c)
        found = np.zeros((len(weights), len(self.right)))
        if len(mine):
            drawn = weights[:, self.image[mine]]
            ignored, right = self.ignored[:, mine], self.right[:, mine]
            seen = _counted(drawn, ignored[0])
            for t in range(len(right)):
                if t and (ignored[t] != ignored[0]).any():
                    seen = _counted(drawn, ignored[t])
                hits = right[t] & ~ignored[t]
                found[:, t] = _average_precision(
                    drawn[:, hits], seen[:, hits], positives, str(self.style)
                )
        found[positives == 0] = np.nan
        return found

    def _sorted(self, c: int) -> np.ndarray:
        mine = np.flatnonzero(self.label == c)
        return mine[np.argsort(-self.scores[mine], kind='stable')]


def _counted(drawn: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Detections that count up to each one, (B, n)."""
    return np.cumsum(drawn * ~ignored, axis=1, dtype=np.float64)


def _average_precision(
    drawn: np.ndarray, seen: np.ndarray, positives: np.ndarray, style: str
) -> np.ndarray:
    """Integrate precision over recall, which only changes at right detections.

    Args:
        drawn: Weights of the right detections, (B, m).
        seen: All detections up to each of them, (B, m).
        positives: Objects, (B,).
        style: See :class:`Detections`.
    """
    if not drawn.shape[1]:
        return np.zeros(len(drawn))
    hits = np.cumsum(drawn, axis=1, dtype=np.float64)
    with np.errstate(invalid='ignore', divide='ignore'):
        precision = np.nan_to_num(hits / seen)
        recall = np.nan_to_num(hits / positives[:, None])
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    if style == 'area':
        return (np.diff(recall, axis=1, prepend=0) * highest).sum(axis=1)
    grid = _RECALLS if style == 'coco' else _TENTHS
    # How many points of the grid each step of the recall reaches first.
    reached = np.searchsorted(grid, recall, side='right')
    steps = np.diff(reached, axis=1, prepend=0)
    return (steps * highest).sum(axis=1) / len(grid)


def load_outcomes(path: Path) -> Outcomes:
    """Read what :meth:`Outcomes.save` wrote.

    Args:
        path: ``.npz`` file; it may come from anyone.

    Raises:
        DamagedFileError: If it holds something else.
    """
    kinds = {cls.kind: cls for cls in (Hits, Pixels, Detections)}
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content}
        outcomes = kinds[str(arrays.pop('kind'))](**arrays)
        outcomes.score(np.ones((1, len(outcomes.images))))
    except Exception as error:  # numpy and zipfile raise many kinds
        raise DamagedFileError(f'{path} holds no outcomes: {error!r}') from None
    return outcomes


def make_hits(
    labels: np.ndarray, hits: Mapping[str, np.ndarray], by_class: Sequence[str] = ()
) -> Hits:
    """Gather per-image hits of several metrics.

    Args:
        labels: True classes (N,).
        hits: Metric → (N,) booleans.
        by_class: Metrics that are means over classes.
    """
    return Hits(
        np.arange(len(labels)),
        np.asarray(labels),
        np.array(list(hits)),
        np.stack([np.asarray(values, bool) for values in hits.values()]),
        np.array([key in by_class for key in hits]),
    )
