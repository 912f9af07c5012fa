"""A fixed sample of a config's images: as they are, and as augmented views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.random import seeded

SPLITS = ('val', 'train', 'test')


@dataclass(frozen=True)
class ImageSample:
    """Images that all checkpoints embed.

    Attributes:
        images: (N, 3, H, W) uint8 in the order of channels that the pipeline
            gives (mmcv reads BGR).
        views: K augmented views of the same images, each (N, 3, h, w) uint8; empty
            for none.
        labels: Class of each image, int64 (N,), or None.
        classes: Names of the classes; empty if the data set has none.
        indices: Rows of the data set.
        name: Split and source, for messages.
    """

    images: Tensor
    views: Sequence[Tensor]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    indices: list[int] = field(repr=False)
    name: str

    def __len__(self) -> int:
        return len(self.images)

    def class_name(self, label: int) -> str:
        """Name of a class, or its number."""
        return self.classes[label] if label < len(self.classes) else f'class {label}'


def find_split(cfg: Config, split: str | None = None) -> str:
    """Choose the data loader to take images from.

    Args:
        cfg: Resolved config.
        split: ``'val'``, ``'train'`` or ``'test'``; None takes the first of these
            that the config has.

    Raises:
        OptionError: If the config has no such loader.
    """
    there = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
    if split is None and there:
        return there[0]
    if split not in there:
        raise OptionError(
            f'the config has no {split or "val, train or test"}_dataloader to take '
            f'images from; it has {there or "none"}'
        )
    return split


def sample_images(
    cfg: Config, split: str, max_images: int = 1000, views: int = 2, seed: int = 0
) -> ImageSample:
    """Read images evenly spaced over a data set, chosen without looking at them.

    A pipeline with one output gives the image; its augmented views are then made
    by :class:`~msbreg_mm.datasets.transforms.MultiViewAugment` at the same size
    with the augmentations of this project's small-image pretraining. A multi-view
    pipeline gives the views; the image is then resized and cropped at the centre
    to the size of the first view.

    Args:
        cfg: Resolved config, its scope imported.
        split: Which data loader, see :func:`find_split`.
        max_images: Most images, at least 2.
        views: Most views, 0 for none.
        seed: Seed of the augmentations (and of a random pipeline).

    Raises:
        ValueError: If there are fewer than 2 images, their sizes differ, or the
            data set has no pipeline.
    """
    from mmengine.registry import DATASETS

    dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    return sample_dataset(dataset, split, max_images, views, seed)


def sample_dataset(
    dataset: Any, split: str, max_images: int, views: int, seed: int = 0
) -> ImageSample:
    """Read images of a data set that is there, see :func:`sample_images`.

    Args:
        dataset: mmengine's, maybe wrapped.
        split: For messages.
        max_images: Most images, at least 2.
        views: Most views, 0 for none.
        seed: Seed of the augmentations.
    """
    if max_images < 2 or views < 0:
        raise OptionError(
            f'max_images must be at least 2 and views at least 0, got {max_images} and '
            f'{views}'
        )
    source = dataset
    while hasattr(source, 'dataset'):  # wrappers such as RepeatDataset
        source = source.dataset
    name = f'{split} ({_origin(source)})'
    if len(source) < 2:
        raise OptionError(
            f'{name} has {len(source)} image: embeddings are compared with each '
            'other, at least 2 are needed'
        )
    count = min(max_images, len(source))
    indices = [int(i) for i in np.linspace(0, len(source), count, endpoint=False)]
    with seeded(seed):
        items = [read_item(source, index, views) for index in indices]
    labels = [item.label for item in items]
    return ImageSample(
        images=_stack([item.image for item in items], name),
        views=[
            _stack([item.views[k] for item in items], name)
            for k in range(min(len(item.views) for item in items))
        ],
        labels=None if None in labels else np.array(labels, np.int64),
        classes=tuple((getattr(source, 'metainfo', None) or {}).get('classes') or ()),
        indices=indices,
        name=name,
    )


@dataclass(frozen=True)
class Item:
    """One image of a data set: clean, its views, and its label if it has one."""

    image: Tensor
    views: list[Tensor]
    label: int | None


def read_item(dataset: Any, index: int, views: int) -> Item:
    """Read one image of an mmengine data set.

    Args:
        dataset: With ``get_data_info`` and ``pipeline``.
        index: Row.
        views: Most views.

    Raises:
        OptionError: If the pipeline gives no image.
    """
    if not hasattr(dataset, 'get_data_info') or not hasattr(dataset, 'pipeline'):
        raise OptionError(
            f'{type(dataset).__name__} is no mmengine data set with a pipeline'
        )
    packed = dataset.pipeline(dataset.get_data_info(index))
    inputs = packed.get('inputs') if packed else None
    label = _label(packed)
    if isinstance(inputs, (list, tuple)) and inputs:
        size = int(inputs[0].shape[-1])
        clean = _clean(dataset.get_data_info(index), size)
        return Item(clean, list(inputs[:views]), label)
    if not isinstance(inputs, Tensor):
        raise OptionError(
            f'{_origin(dataset)}: the pipeline gives no image for row {index}; it '
            'must end in PackInputs'
        )
    augmented = []
    if views:
        size = int(min(inputs.shape[-2:]))
        augmented = _augment(dataset.get_data_info(index), views, size)
    return Item(inputs, augmented, label)


def _augment(info: dict, views: int, size: int) -> list[Tensor]:
    from msbreg_mm.datasets.transforms import MultiViewAugment

    # As configs/_base_/datasets/in_memory_multiview.py.
    group = {
        'num_views': views,
        'size': size,
        'crop_scale': (0.2, 1.0),
        'interpolation': 'bilinear',
        'blur_prob': 0.2,
        'blur_sigma': (0.1, 1.0),
        'solarize_prob': 0.0,
    }
    images = MultiViewAugment(views=[group])(info)['img']
    return [_to_tensor(image) for image in images]


def _clean(info: dict, size: int) -> Tensor:
    from mmpretrain.datasets.transforms import (
        CenterCrop,
        LoadImageFromFile,
        ResizeEdge,
    )

    results = info if 'img' in info else LoadImageFromFile()(info)
    results = CenterCrop(size)(ResizeEdge(size)(results))
    return _to_tensor(results['img'])


def _to_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _label(packed: Mapping[str, Any] | None) -> int | None:
    label = getattr((packed or {}).get('data_samples'), 'gt_label', None)
    # Several labels an image colour no map.
    return int(label) if isinstance(label, Tensor) and label.numel() == 1 else None


def _stack(images: Sequence[Tensor], name: str) -> Tensor:
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise OptionError(
            f'{name}: the pipeline gives images of different sizes '
            f'({sorted(shapes)[:3]}, …); end it with a crop or a resize to one size'
        )
    return torch.stack(list(images))


def _origin(dataset: Any) -> str:
    origin = getattr(dataset, 'ann_file', '') or getattr(dataset, 'img_prefix', '')
    return str(origin or type(dataset).__name__)
