"""Features of a frozen network, and what a data set says about its images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from msbreg_mm.utils.errors import DataError


def read_infos(dataset: Dataset) -> Iterator[Mapping[str, Any]]:
    """Go through the annotations of a data set without decoding images.

    Args:
        dataset: A data set of mmengine or a wrapper around some.

    Raises:
        DataError: If the data set has no ``get_data_info``.
    """
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    if isinstance(dataset, BaseDataset):
        # Not the subclass's, which may return the decoded image.
        for index in range(len(dataset)):
            yield BaseDataset.get_data_info(dataset, index)
    elif hasattr(dataset, 'datasets'):  # in the order of a concatenation
        for part in dataset.datasets:
            yield from read_infos(part)
    elif hasattr(dataset, 'get_data_info'):
        for index in range(len(dataset)):  # type: ignore[arg-type]
            yield dataset.get_data_info(index)
    else:
        raise DataError(
            f'{type(dataset).__name__} has no get_data_info; use a data set of '
            'mmpretrain, or one derived from mmengine.dataset.BaseDataset'
        )


def read_labels(
    dataset: Dataset, name: str = 'data set'
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the labels of all images and the names of the classes.

    Args:
        dataset: See :func:`read_infos`. ``gt_label`` is a class, or a list of
            classes of an image with several; ``gt_label_difficult`` a list of
            classes that are not scored for the image.
        name: What is named in error messages.

    Returns:
        Labels as in :class:`msbreg_mm.evaluation.features.FeatureSet`, and names,
        empty if the data set has none.

    Raises:
        DataError: If there are no images, one has no label, or the classes of
            images with several labels have no names.
    """
    labels, difficult = [], []
    for index, info in enumerate(read_infos(dataset)):
        if info.get('gt_label') is None:
            raise DataError(
                f'{name}: image {index} ({info.get("img_path", "no path")}) has no '
                'label; probes need an annotated data set'
            )
        labels.append(info['gt_label'])
        difficult.append(info.get('gt_label_difficult') or ())
    if not labels:
        raise DataError(f'{name} has no images')
    classes = tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())
    if all(np.ndim(label) == 0 for label in labels):
        return np.asarray(labels, np.int64), classes
    if not classes:
        raise DataError(
            f'{name}: images with several labels need the names of all classes; set '
            'metainfo=dict(classes=[…]) of the data set'
        )
    table = np.zeros((len(labels), len(classes)), np.int8)
    for row, ignored, present in zip(table, difficult, labels, strict=True):
        row[list(ignored)] = -1
        row[np.atleast_1d(np.asarray(present, np.int64))] = 1
    return table, classes


def read_image_numbers(dataset: Dataset) -> np.ndarray | None:
    """Number the image files of a data set, equal paths alike.

    Args:
        dataset: See :func:`read_infos`.

    Returns:
        (N,) int64, or ``None`` if no file is there twice, or the images are no files.
    """
    paths = [info.get('img_path') for info in read_infos(dataset)]
    if not all(isinstance(path, str) for path in paths):
        return None
    numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
    if len(numbers) == len(paths):
        return None
    return np.array([numbers[path] for path in paths], np.int64)


def describe_dataset(dataset: Any) -> str:
    """Name a data set in messages: its list, annotation file or folder."""
    if parts := getattr(dataset, 'datasets', None):
        return ' + '.join(map(describe_dataset, parts))
    if hasattr(dataset, 'dataset'):
        return describe_dataset(dataset.dataset)
    for attribute in ('image_set_path', 'ann_file', 'img_prefix', 'data_root'):
        # A KeyError: mmpretrain's CIFAR10 has no folder of images.
        with suppress(AttributeError, KeyError):
            if value := getattr(dataset, attribute):
                return str(value)
    return type(dataset).__name__


def project(model: Any, images: Tensor) -> Tensor:
    """Embed images with a self-supervised model's backbone and projector.

    Args:
        model: Has ``backbone`` and ``neck``.
        images: (N, 3, H, W), normalised.

    Returns:
        (N, D) float32, of the first output of the projector.
    """
    from mmpretrain.models.necks import SwAVNeck

    features = model.backbone(images)
    # SwAV's neck takes a list, one entry for each resolution.
    output = model.neck([features] if isinstance(model.neck, SwAVNeck) else features)
    output = output[0] if isinstance(output, (tuple, list)) else output
    return output.flatten(1).float()


def pool_features(outputs: Tensor | Sequence[Tensor]) -> Tensor:
    """Join what a backbone or its neck returns to one vector per image.

    Args:
        outputs: Tensors (N, C, H, W), averaged over positions, or (N, C); or a
            sequence of them (several stages or layers), put side by side.

    Returns:
        float32 (N, D).

    Raises:
        DataError: If a tensor has another shape.
    """
    levels = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    vectors = []
    for level in levels:
        if not isinstance(level, Tensor) or level.dim() not in (2, 4):
            got = tuple(level.shape) if isinstance(level, Tensor) else type(level)
            raise DataError(
                f'features must be (N, C, H, W) or (N, C), got {got}; for a ViT set '
                "backbone.out_type to 'cls_token' or 'avg_featmap'"
            )
        # In float32: the mean of a map in half precision loses digits.
        level = level.float()
        vectors.append(level.mean(dim=(2, 3)) if level.dim() == 4 else level)
    return torch.cat(vectors, dim=1)


@torch.no_grad()
def extract_features(
    model: Any,
    loader: DataLoader,
    rows: range,
    context: Callable[[], AbstractContextManager] = nullcontext,
) -> Iterator[tuple[int, np.ndarray]]:
    """Compute features of some images of a data set, in order.

    Args:
        model: Classifier of mmpretrain in evaluation mode: its ``extract_feat``
            and ``data_preprocessor`` are used, a head is not.
        loader: Gives the data set, the batch size and the workers; its sampler is
            not used.
        rows: Numbers of the images.
        context: Makes the context of a forward pass, e.g. of mixed precision.

    Yields:
        The first row's number and features (n, D) float32, batch by batch.
    """
    row = rows.start
    for batch in _in_order(loader, rows):
        inputs = model.data_preprocessor(batch, False)['inputs']
        with context():
            features = pool_features(model.extract_feat(inputs))
        yield row, features.cpu().numpy()
        row += len(features)


def feature_size(model: Any, loader: DataLoader) -> int:
    """Return the number of dimensions, from the first image."""
    model_rows = extract_features(model, loader, range(1))
    return next(model_rows)[1].shape[1]


def _in_order(loader: DataLoader, rows: range) -> DataLoader:
    """Make a loader of these rows: in order, none left out, none twice."""
    batch_size = loader.batch_size
    if batch_size is None:  # a batch sampler of its own
        batch_size = int(getattr(loader.batch_sampler, 'batch_size', 1))
    workers = loader.num_workers if len(rows) > batch_size else 0
    return DataLoader(
        Subset(loader.dataset, rows),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context if workers else None,
        prefetch_factor=loader.prefetch_factor if workers else None,
    )
