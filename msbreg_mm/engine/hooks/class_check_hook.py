"""Compares classes and labels with the classifier before anything is trained."""

from dataclasses import dataclass

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from msbreg_mm.evaluation.extraction import describe_dataset, read_labels
from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.upstream import unwrap

# Classes that a message names.
_SHOWN = 5


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Stops a training whose data sets do not fit the classifier or each other.

    It reads the labels of the training and the validation set once and warns of
    classes that have a single image to train on or none to be scored on.

    Args:
        allow_empty: Accept classes without a training image, e.g. for a trial run
            on the first images of a data set.

    Raises:
        ValueError: If the number of classes differs from the classifier's, a label
            is out of range, the two sets name other classes, or a class has no
            image to train on.
    """

    # Before the checkpoint is read.
    priority = 'VERY_HIGH'

    def __init__(self, allow_empty: bool = False) -> None:
        self.allow_empty = allow_empty

    def before_train(self, runner: Runner) -> None:
        """Check both sets."""
        model = unwrap(runner.model)
        num_classes = getattr(getattr(model, 'head', None), 'num_classes', None)
        if num_classes is None:
            raise ValueError(
                f'{type(model).__name__} has no head with num_classes, so that its '
                'classes cannot be compared with the data; remove the ClassCheckHook'
            )
        train = _read(runner.train_dataloader.dataset, 'train', num_classes)
        if not self.allow_empty and (classes := train.describe(0)):
            raise ValueError(
                f'{train.name}: {classes} have no image to train on; add images, take '
                'the classes out of both sets, or set '
                'default_hooks.class_check.allow_empty=True'
            )
        if classes := train.describe(1):
            runner.logger.warning(
                f'{train.name}: {classes} have a single image to train on'
            )
        if runner.val_loop is None:
            return
        val = _read(runner.val_dataloader.dataset, 'val', num_classes)
        for index, names in enumerate(zip(train.classes, val.classes, strict=False)):
            if names[0] != names[1]:
                raise ValueError(
                    f'class {index} is {names[0]!r} in {train.name} and {names[1]!r} '
                    f'in {val.name}; both need the same class folders, or annotation '
                    'files with the same labels'
                )
        if classes := val.describe(0):
            runner.logger.warning(
                f'{val.name}: {classes} have no image; means over classes count them '
                'as 0'
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
    labels, classes = read_labels(dataset, name)
    if classes and len(classes) != num_classes:
        some = ', '.join(classes[:_SHOWN]) + (', …' if classes[_SHOWN:] else '')
        raise ValueError(
            f'{name} has {len(classes)} classes ({some}), but the head has num_classes='
            f'{num_classes}; set model.head.num_classes={len(classes)}, or data_root '
            'to the data set that was meant'
        )
    if labels.ndim == 2:
        return _Labels(name, (labels == 1).sum(axis=0), classes)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f'{name} has labels from {low} to {high}, but the head has num_classes='
            f'{num_classes}, which takes 0 to {num_classes - 1}; set '
            'model.head.num_classes, or number the classes of the list from 0'
        )
    return _Labels(name, np.bincount(labels, minlength=num_classes), classes)
