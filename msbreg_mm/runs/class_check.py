"""Compare the labels of a classifier's data sets with its head and each other."""

from dataclasses import dataclass
from logging import Logger

import numpy as np
from torch import nn
from torch.utils.data import Dataset

from msbreg_mm.evaluation.extraction import describe_dataset, read_labels
from msbreg_mm.utils.errors import DataError

# Classes that a message names.
_SHOWN = 5


def check_labels(
    model: nn.Module,
    train_set: Dataset,
    val_set: Dataset | None,
    logger: Logger,
    allow_empty: bool = False,
) -> None:
    """Stop where labels do not fit the classifier or the two sets each other.

    Args:
        model: Has a ``head`` with ``num_classes``.
        train_set: Labelled images.
        val_set: The same, or ``None``.
        logger: Is told of classes that have a single image to train on or none to
            be scored on.
        allow_empty: Accept classes without a training image.

    Raises:
        DataError: If the number of classes differs from the classifier's, a label
            is out of range, the two sets name other classes, or a class has no
            image to train on.
    """
    num_classes = getattr(getattr(model, 'head', None), 'num_classes', None)
    if num_classes is None:
        raise DataError(
            f'{type(model).__name__} has no head with num_classes, so that its '
            'classes cannot be compared with the data'
        )
    train = _read(train_set, 'train', num_classes)
    if not allow_empty and (classes := train.describe(0)):
        raise DataError(
            f'{train.name}: {classes} have no image to train on; add images, take '
            'the classes out of both sets, or set '
            'default_hooks.class_check.allow_empty=True'
        )
    if classes := train.describe(1):
        logger.warning(f'{train.name}: {classes} have a single image to train on')
    if val_set is None:
        return
    val = _read(val_set, 'val', num_classes)
    for index, names in enumerate(zip(train.classes, val.classes, strict=False)):
        if names[0] != names[1]:
            raise DataError(
                f'class {index} is {names[0]!r} in {train.name} and {names[1]!r} '
                f'in {val.name}; both need the same class folders, or annotation '
                'files with the same labels'
            )
    if classes := val.describe(0):
        logger.warning(
            f'{val.name}: {classes} have no image; means over classes count them as 0'
        )


@dataclass(frozen=True)
class _Labels:
    """Images per class (C,), and the names of the classes or none."""

    name: str
    counts: np.ndarray
    classes: tuple[str, ...]

    def describe(self, count: int) -> str:
        """List the classes with so many images; empty if there are none."""
        found = np.flatnonzero(self.counts == count)
        if not found.size:
            return ''
        shown = [
            repr(self.classes[label]) if self.classes else str(label)
            for label in found[:_SHOWN]
        ]
        more = ', …' if len(found) > _SHOWN else ''
        number = f'{len(found)} of {len(self.counts)}'
        return f'{number} classes ({", ".join(shown)}{more})'


def _read(dataset: Dataset, split: str, num_classes: int) -> _Labels:
    """Read and check the labels of one set."""
    name = f'{split} ({describe_dataset(dataset)})'
    try:
        labels, classes = read_labels(dataset, name)
    except ValueError as error:
        raise DataError(str(error)) from None
    if classes and len(classes) != num_classes:
        some = ', '.join(classes[:_SHOWN]) + (', …' if classes[_SHOWN:] else '')
        raise DataError(
            f'{name} has {len(classes)} classes ({some}), but the head has num_classes='
            f'{num_classes}; set model.head.num_classes={len(classes)}, or data_root '
            'to the data set that was meant'
        )
    if labels.ndim == 2:
        return _Labels(name, (labels == 1).sum(axis=0), classes)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(
            f'{name} has labels from {low} to {high}, but the head has num_classes='
            f'{num_classes}, which takes 0 to {num_classes - 1}; set '
            'model.head.num_classes, or number the classes of the list from 0'
        )
    return _Labels(name, np.bincount(labels, minlength=num_classes), classes)
