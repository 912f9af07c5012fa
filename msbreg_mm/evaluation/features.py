"""Features of labelled images, checked once for everything that is fitted on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from msbreg_mm.utils.errors import DataError

# Rows that are read from a memory map at once: 64 MiB of 2048 float32 columns.
_CHUNK = 8192
# Rows and classes that an error message lists.
_SHOWN = 5


@dataclass(frozen=True)
class FeatureSet:
    """Frozen features of labelled images.

    Attributes:
        features: (N, D) float32, maybe a memory map.
        labels: (N,) int64 classes from 0; or (N, C) int8 with several labels an
            image: 1 positive, 0 negative, -1 ignored (VOC's difficult objects).
        classes: Names of the classes; empty if the data set has none.
        name: What is named in error messages, e.g. ``'train (data/x/train.txt)'``.
        parts: Numbers of images of the data sets that were concatenated, in order;
            empty for one data set. A probe that chooses a hyperparameter takes the
            last of several as the validation split.
        images: (N,) int64, the number of each row's image file; rows of one file
            share it, as where a list names an image twice. ``None`` if every row
            is an image of its own.

    Raises:
        ValueError: If shapes or types do not fit, a label is out of range or a
            feature is not finite.
    """

    features: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...] = ()
    name: str = 'features'
    parts: tuple[int, ...] = ()
    images: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'classes', tuple(self.classes))
        self._check_features()
        self._check_labels()

    def __len__(self) -> int:
        return len(self.features)

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.labels.ndim == 2

    @property
    def num_classes(self) -> int:
        """Number of classes, with those that have no image here."""
        if self.multi_label:
            return int(self.labels.shape[1])
        return len(self.classes) or int(self.labels.max()) + 1

    @property
    def counts(self) -> np.ndarray:
        """Images of each class (C,) int64; positive ones with several labels."""
        if self.multi_label:
            return (self.labels == 1).sum(axis=0)
        return np.bincount(self.labels, minlength=self.num_classes)

    def describe(self, classes: Sequence[int]) -> str:
        """Name classes in an error message: their number and the first few."""
        names = [
            repr(self.classes[c]) if self.classes else str(c) for c in classes[:_SHOWN]
        ]
        more = ', …' if len(classes) > _SHOWN else ''
        return (
            f'{len(classes)} of {self.num_classes} classes ({", ".join(names)}{more})'
        )

    def take(self, rows: np.ndarray) -> 'FeatureSet':
        """Return some rows, as a copy in memory.

        Args:
            rows: Row numbers or a mask over all rows.
        """
        images = None if self.images is None else self.images[rows]
        return FeatureSet(
            np.asarray(self.features[rows]),
            self.labels[rows],
            self.classes,
            self.name,
            images=images,
        )

    def _check_features(self) -> None:
        x = self.features
        if x.ndim != 2 or x.dtype != np.float32 or 0 in x.shape:
            raise DataError(
                f'{self.name}: features must be float32 of shape (images, dimensions), '
                f'each at least 1, got {x.dtype} {x.shape}'
            )
        check_finite(x, self.name)

    def _check_labels(self) -> None:
        y = self.labels
        if y.ndim not in (1, 2) or len(y) != len(self.features):
            raise DataError(
                f'{self.name}: {len(self.features)} features need as many labels, got '
                f'labels of shape {y.shape}'
            )
        if self.images is not None and self.images.shape != (len(y),):
            raise DataError(
                f'{self.name}: {len(y)} rows need as many image numbers, got an array '
                f'of shape {self.images.shape}'
            )
        expected = np.dtype(np.int8 if self.multi_label else np.int64)
        if y.dtype != expected:
            raise DataError(f'{self.name}: labels must be {expected}, got {y.dtype}')
        low, high = int(y.min()), int(y.max())
        if self.multi_label:
            if low < -1 or high > 1:
                raise DataError(
                    f'{self.name}: labels of several classes an image are 1, 0 or -1 '
                    f'(ignored), got {low} to {high}'
                )
            if self.classes and len(self.classes) != y.shape[1]:
                raise DataError(
                    f'{self.name}: labels of {y.shape[1]} classes, but '
                    f'{len(self.classes)} class names'
                )
        elif low < 0 or (self.classes and high >= len(self.classes)):
            limit = f' to {len(self.classes) - 1}' if self.classes else ''
            raise DataError(
                f'{self.name}: labels must be 0{limit}, got {low} to {high}; does the '
                'annotation file belong to these classes?'
            )


def row_chunks(
    array: np.ndarray, size: int = _CHUNK
) -> Iterator[tuple[int, np.ndarray]]:
    """Go through the rows of an array without keeping a memory map resident.

    Args:
        array: (N, …), maybe a memory map.
        size: Rows at once.

    Yields:
        The first row's number and a view of at most ``size`` rows, which must not
        be used after the next step.
    """
    for start in range(0, len(array), size):
        yield start, array[start : start + size]
        release(array)


def release(array: np.ndarray) -> None:
    """Unload the pages of a memory map from this process; its content stays.

    Pages that were read count as memory of the process until the system needs
    it; a bank of many GiB would look like, and in a container may be, a leak.

    Args:
        array: Any array; only a shared map of a file is touched.
    """
    mapped = getattr(array, '_mmap', None)
    # A copy-on-write map would lose what was written.
    if mapped is not None and getattr(array, 'mode', '') in ('r', 'r+', 'w+'):
        import mmap

        mapped.madvise(mmap.MADV_DONTNEED)


def check_finite(features: np.ndarray, name: str) -> None:
    """Check that all features are finite.

    Args:
        features: (N, D).
        name: What is named in the error.

    Raises:
        DataError: If one is not; with the number and the first rows.
    """
    bad: list[int] = []
    for start, part in row_chunks(features):
        bad += (start + np.flatnonzero(~np.isfinite(part).all(axis=1))).tolist()
    if bad:
        rows = ', '.join(map(str, bad[:_SHOWN])) + (', …' if bad[_SHOWN:] else '')
        raise DataError(
            f'{name}: {len(bad)} of {len(features)} features hold NaN or infinity '
            f'(images {rows}); the checkpoint that made them is broken, its training '
            'diverged, or half precision overflows (drop --amp)'
        )


def check_pair(train: FeatureSet, val: FeatureSet) -> None:
    """Check that a probe fitted on one set can be scored on the other.

    Args:
        train: What a probe is fitted on.
        val: What it is scored on; classes without an image are allowed there.

    Raises:
        DataError: If dimensions or classes differ, or a class has no image to
            fit on.
    """
    if train.features.shape[1] != val.features.shape[1]:
        raise DataError(
            f'{train.name} has features of {train.features.shape[1]} dimensions, '
            f'{val.name} of {val.features.shape[1]}; they come from different backbones'
        )
    if train.multi_label != val.multi_label:
        one, several = (val, train) if train.multi_label else (train, val)
        raise DataError(
            f'{one.name} has one label an image, {several.name} several; use one data '
            'set type for both'
        )
    _check_classes(train, val)
    if (missing := np.flatnonzero(train.counts == 0)).size:
        raise DataError(
            f'{train.name}: {train.describe(missing.tolist())} have no image to fit '
            'on; add images, or leave the classes out of both sets'
        )


def _check_classes(train: FeatureSet, val: FeatureSet) -> None:
    if train.classes and val.classes and train.classes != val.classes:
        if len(train.classes) != len(val.classes):
            detail = f'{len(train.classes)} and {len(val.classes)} classes'
            odd = sorted(set(train.classes) ^ set(val.classes))
            if odd:
                detail += f', not in both: {", ".join(odd[:_SHOWN])}'
        else:
            index = next(i for i, c in enumerate(train.classes) if c != val.classes[i])
            detail = (
                f'class {index} is {train.classes[index]!r} in one and '
                f'{val.classes[index]!r} in the other'
            )
        raise DataError(f'{train.name} and {val.name} differ in classes: {detail}')
    # Without names, the last classes of a small val set may have no image.
    fits = (
        train.num_classes == val.num_classes
        if train.multi_label
        else train.num_classes >= val.num_classes
    )
    if not fits:
        raise DataError(
            f'{train.name} has {train.num_classes} classes, {val.name} '
            f'{val.num_classes}; both need the same list of classes'
        )
