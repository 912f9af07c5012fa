"""Compares classes and labels with the classifier before anything is trained."""

from collections.abc import Sequence

import numpy as np
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import Dataset

from msbreg_mm.evaluation.extraction import read_labels
from msbreg_mm.registry import HOOKS

# Classes that a message names.
_SHOWN = 5


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Stops a training whose data sets do not fit the classifier or each other.

    It reads the labels of the training and the validation set once (about 10 s for
    a million images) and warns of classes that have a single image to train on or
    none to be scored on.

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
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        num_classes = getattr(getattr(model, 'head', None), 'num_classes', None)
        if num_classes is None:
            raise ValueError(
                f'{type(model).__name__} has no head with num_classes, so that its '
                'classes cannot be compared with the data; remove the ClassCheckHook'
            )
        train = runner.train_dataloader.dataset
        counts, names = _check_set(train, 'train', num_classes)
        if (empty := np.flatnonzero(counts == 0)).size and not self.allow_empty:
            raise ValueError(
                f'train ({_place(train)}): {_describe(empty, names, num_classes)} have '
                'no image to train on; add images, take the classes out of both sets, '
                'or set default_hooks.class_check.allow_empty=True'
            )
        if (single := np.flatnonzero(counts == 1)).size:
            runner.logger.warning(
                f'train ({_place(train)}): {_describe(single, names, num_classes)} '
                'have a single image to train on'
            )
        if runner.val_loop is None:
            return
        val = runner.val_dataloader.dataset
        counts, val_names = _check_set(val, 'val', num_classes)
        if names and val_names and names != val_names:
            index = next(i for i in range(num_classes) if names[i] != val_names[i])
            raise ValueError(
                f'class {index} is {names[index]!r} in train ({_place(train)}) and '
                f'{val_names[index]!r} in val ({_place(val)}); both need the same '
                'class folders, or annotation files with the same labels'
            )
        if (empty := np.flatnonzero(counts == 0)).size:
            runner.logger.warning(
                f'val ({_place(val)}): {_describe(empty, names, num_classes)} have no '
                'image; means over classes count them as 0'
            )


def _check_set(
    dataset: Dataset, split: str, num_classes: int
) -> tuple[np.ndarray, Sequence[str]]:
    """Return images per class (C,) and the names of the classes, maybe none."""
    name = f'{split} ({_place(dataset)})'
    labels, names = read_labels(dataset, name)
    if names and len(names) != num_classes:
        raise ValueError(
            f'{name} has {len(names)} classes ({", ".join(names[:_SHOWN])}'
            f'{", …" if names[_SHOWN:] else ""}), but the head has num_classes='
            f'{num_classes}; set model.head.num_classes={len(names)}, or data_root to '
            'the data set that was meant'
        )
    if labels.ndim == 2:
        return (labels == 1).sum(axis=0), names
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f'{name} has labels from {low} to {high}, but the head has num_classes='
            f'{num_classes}, which takes 0 to {num_classes - 1}; set '
            'model.head.num_classes, or number the classes of the list from 0'
        )
    return np.bincount(labels, minlength=num_classes), names


def _place(dataset: Dataset) -> str:
    """Name a data set in messages: its annotation file or folder."""
    while hasattr(dataset, 'dataset'):  # wrappers such as RepeatDataset
        dataset = dataset.dataset
    for attribute in ('ann_file', 'img_prefix', 'data_root'):
        if value := getattr(dataset, attribute, None):
            return str(value)
    return type(dataset).__name__


def _describe(classes: np.ndarray, names: Sequence[str], num_classes: int) -> str:
    shown = [repr(names[c]) if names else str(c) for c in classes[:_SHOWN]]
    more = ', …' if len(classes) > _SHOWN else ''
    return f'{len(classes)} of {num_classes} classes ({", ".join(shown)}{more})'
