"""Images with boxes, one at a time, and what a frozen network makes of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from msbreg_mm.evaluation.extraction import read_infos
from msbreg_mm.evaluation.key_features import catch_keys
from msbreg_mm.utils.errors import DataError

FACETS = ('map', 'key')


@dataclass(frozen=True)
class ObjectImage:
    """One image.

    Attributes:
        path: Of the file.
        maps: (C, h, w) float32 of each stage or block, the last one last.
        keys: (h * w, D) float32 of the last map's patches, if asked for.
        size: Height and width of the image as the network got it, unpadded.
        padded: The same with the zeros below and to the right.
        boxes: (n, 4) float64 at that size: left, top, right, bottom; without crowds
            and other ignored ones.
        labels: (n,) int64.
    """

    path: str
    maps: tuple[Tensor, ...]
    keys: Tensor | None
    size: tuple[int, int]
    padded: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the last map."""
        return self.maps[-1].shape[1], self.maps[-1].shape[2]

    def patches(self, facet: str) -> Tensor:
        """Return features of the patches in row-major order (N, D).

        Args:
            facet: ``'map'`` for the last map, ``'key'`` for the keys.
        """
        if facet == 'map':
            return self.maps[-1].flatten(1).T
        assert self.keys is not None, 'keys were not asked for'
        return self.keys

    @property
    def stride(self) -> tuple[float, float]:
        """Height and width of one of its patches in pixels."""
        rows, columns = self.grid
        return self.padded[0] / rows, self.padded[1] / columns


def read_boxes(dataset: Any, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read boxes (n, 4) and labels (n,) of all images, without decoding.

    Args:
        dataset: A data set of mmdet, or one with its ``instances``.
        name: What is named in error messages.

    Raises:
        DataError: If the data set has no boxes.
    """
    found = []
    for info in read_infos(dataset):
        if 'instances' not in info:
            raise DataError(
                f'{name}: {info.get("img_path", "an image")} has no instances; object '
                'probes need a detection data set, e.g. mmdet.CocoDataset'
            )
        kept = [x for x in info['instances'] if not x.get('ignore_flag')]
        boxes = np.array([x['bbox'] for x in kept], np.float64).reshape(-1, 4)
        found.append((boxes, np.array([x['bbox_label'] for x in kept], np.int64)))
    if not sum(len(boxes) for boxes, _ in found):
        raise DataError(f'{name}: no box in {len(found)} images; is it annotated?')
    return found


@torch.no_grad()
def object_images(
    model: Any,
    loader: DataLoader,
    with_keys: bool = False,
    divisor: int = 16,
    context: Callable[[], AbstractContextManager] = nullcontext,
    annotations: Sequence[tuple[np.ndarray, np.ndarray]] | None = None,
) -> Iterator[ObjectImage]:
    """Run the network on images one by one, each at its own size.

    Images are padded with zeros (of the normalised image) to whole patches, as LOST
    and TokenCut do. Nothing is kept: memory does not grow with the number of images.

    Args:
        model: Classifier of mmpretrain in evaluation mode; its ``backbone`` and
            ``data_preprocessor`` are used.
        loader: Gives the data set and the workers; its pipeline may resize whole
            images, no more.
        with_keys: Whether to compute keys.
        divisor: Sides are padded to a multiple of it: the patch of a ViT.
        context: Makes the context of a forward pass.
        annotations: What :func:`read_boxes` has read; read here by default.

    Raises:
        DataError: If the network makes no maps, or a value is not finite.
    """
    dataset: Any = loader.dataset
    if annotations is None:
        annotations = read_boxes(dataset, 'data set')
    one_by_one = DataLoader(
        dataset, 1, num_workers=loader.num_workers, collate_fn=pseudo_collate
    )
    for batch, (boxes, labels) in zip(one_by_one, annotations, strict=True):
        sample = batch['data_samples'][0]
        inputs = model.data_preprocessor(batch, False)['inputs']
        size = (inputs.shape[2], inputs.shape[3])
        below, right = -size[0] % divisor, -size[1] % divisor
        padded = F.pad(inputs, (0, right, 0, below))
        with catch_keys() as keys, context():
            maps = _maps(model.backbone(padded))
            last = maps[-1].shape[1] * maps[-1].shape[2]
            found = keys.patches(last) if with_keys else None
        checked = [*maps, found] if found is not None else maps
        if not all(bool(value.isfinite().all()) for value in checked):
            raise DataError(
                f'{sample.get("img_path")}: features hold NaN or infinity; the '
                'checkpoint that made them is broken, or its training diverged'
            )
        height, width = sample.get('ori_shape', size)[:2]
        scale = np.array([size[1] / width, size[0] / height] * 2)
        shape = (padded.shape[2], padded.shape[3])
        path = str(sample.get('img_path', ''))
        yield ObjectImage(path, maps, found, size, shape, boxes * scale, labels)


def _maps(outputs: Any) -> tuple[Tensor, ...]:
    levels = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    for level in levels:
        if not isinstance(level, Tensor) or level.dim() != 4 or len(level) != 1:
            got = tuple(level.shape) if isinstance(level, Tensor) else type(level)
            raise DataError(
                f'object probes need maps (1, C, H, W), the backbone gave {got}; for a '
                "ViT of mmpretrain set backbone.out_type='featmap'"
            )
    return tuple(level[0].float() for level in levels)
