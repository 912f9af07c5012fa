"""Small data sets, decoded once and kept in memory."""

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets import CustomDataset
from PIL import Image, UnidentifiedImageError
from rich.progress import Progress

from msbreg_mm.registry import DATASETS

from .transforms.reading import CorruptImageError, decode, read_bytes

_GIB = 2**30
# A progress bar for less than this many seconds would only flicker.
_QUIET_SECONDS = 2.0


class ImageStore:
    """Images of any sizes in one uint8 buffer.

    One buffer, not a list: workers that were forked share its pages with the main
    process, as nothing in it is reference-counted.

    Args:
        sizes: (N, 2) upper bounds of height and width; only their products count.
    """

    def __init__(self, sizes: np.ndarray) -> None:
        lengths = 3 * sizes.astype(np.int64).prod(axis=1)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.shapes = np.zeros((len(sizes), 2), np.int64)
        self.buffer = np.empty(self.offsets[-1], np.uint8)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'ImageStore':
        # mmengine's get_subset copies a data set; the images stay shared.
        return self

    def __len__(self) -> int:
        return len(self.shapes)

    def __setitem__(self, index: int, image: np.ndarray) -> None:
        self.shapes[index] = image.shape[:2]
        self[index][:] = image

    def __getitem__(self, index: int) -> np.ndarray:
        height, width = self.shapes[index]
        start = self.offsets[index]
        flat = self.buffer[start : start + 3 * height * width]
        return flat.reshape(height, width, 3)


@DATASETS.register_module()
class InMemoryImages(CustomDataset):
    """An image folder, file list or ``.npz`` of JPEGs, decoded once at the start.

    Serves ``img`` (decoded, (H, W, 3) uint8 BGR, a copy), ``img_shape``,
    ``ori_shape``, ``sample_idx`` and, with labels, ``gt_label``; a pipeline that
    starts with :class:`MultiViewAugment` reads no file. The images lie in one
    buffer that forked workers share.

    The images come from, in this order:

    - ``ann_file`` that ends in ``.npz``, with the arrays ``jpeg`` (uint8, all
      encoded files one after another), ``offset`` (int64, N + 1; file i is
      ``jpeg[offset[i]:offset[i + 1]]``) and, for ``with_label``, ``label`` (N);
    - another ``ann_file``: a text file with one ``path label`` a line, or one
      ``path`` with ``with_label=False``;
    - the folder ``data_root/data_prefix``: one subfolder per class, or, with
      ``with_label=False``, all images below it.

    Args:
        short_side: Shrink images whose shorter side is longer than this many
            pixels to it; None keeps all as they are.
        max_memory_gib: Refuse to start if the decoded images need more. Defaults
            to 8, this project's choice.
        on_corrupt: ``'raise'`` an error for a file that cannot be decoded, or
            ``'skip'`` it with a warning.
        num_threads: Threads that decode; the number of cores (at most 8) by
            default.
        **kwargs: See :class:`mmpretrain.datasets.CustomDataset`.

    Raises:
        FileNotFoundError: If a file or folder is missing.
        ValueError: If there are no images, a line or array is malformed, or an
            argument is out of range.
        CorruptImageError: If an image cannot be decoded.
        MemoryError: If the images need more than ``max_memory_gib``.
    """

    def __init__(
        self,
        *args: Any,
        short_side: int | None = None,
        max_memory_gib: float = 8.0,
        on_corrupt: str = 'raise',
        num_threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        if short_side is not None and short_side < 1:
            raise ValueError(f'short_side must be at least 1 or None, got {short_side}')
        if max_memory_gib <= 0:
            raise ValueError(f'max_memory_gib must be positive, got {max_memory_gib}')
        if on_corrupt not in ('raise', 'skip'):
            raise ValueError(f"on_corrupt must be 'raise' or 'skip', got {on_corrupt!r}")
        self.short_side = short_side
        self.max_memory_gib = max_memory_gib
        self.on_corrupt = on_corrupt
        self.num_threads = num_threads or min(8, os.cpu_count() or 1)
        self.store: ImageStore | None = None
        self._encoded: tuple[np.ndarray, np.ndarray] | None = None
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images; see the class for the three layouts."""
        if self.ann_file and not Path(self.ann_file).is_file():
            raise FileNotFoundError(
                f'no annotation file {self.ann_file!r}: check data_root and ann_file'
            )
        if str(self.ann_file).endswith('.npz'):
            data_list = self._load_npz()
        else:
            data_list = self._load_files()
        if not data_list:
            raise ValueError(f'{self.ann_file or self.img_prefix!r} lists no images')
        return data_list

    def _load_files(self) -> list[dict]:
        if not self.ann_file:
            if not Path(self.img_prefix).is_dir():
                raise FileNotFoundError(
                    f'no folder {self.img_prefix!r}: check data_root and data_prefix'
                )
            try:
                return super().load_data_list()
            except RuntimeError as error:  # CustomDataset found nothing
                hint = (
                    'one subfolder per class is expected, or with_label=False'
                    if self.with_label
                    else 'check data_root and data_prefix'
                )
                raise ValueError(
                    f'no images below {self.img_prefix!r} with the extensions '
                    f'{", ".join(sorted(self.extensions))}: {hint}'
                ) from error
        if self.with_label:
            for number, line in enumerate(Path(self.ann_file).open(), start=1):
                if not line.strip().rpartition(' ')[2].isdecimal():
                    raise ValueError(
                        f'{self.ann_file}:{number} is not "path label": '
                        f'{line.strip()!r}; without labels set with_label=False'
                    )
        return super().load_data_list()

    def _load_npz(self) -> list[dict]:
        with np.load(self.ann_file, allow_pickle=False) as pack:
            wanted = ['jpeg', 'offset'] + ['label'] * self.with_label
            missing = [name for name in wanted if name not in pack]
            if missing:
                raise ValueError(
                    f'{self.ann_file} has no array {", ".join(missing)}, only '
                    f'{", ".join(pack)}'
                )
            jpeg, offset = pack['jpeg'], pack['offset']
            labels = pack['label'].tolist() if self.with_label else None
        count = len(offset) - 1
        fits = count >= 0 and offset[0] >= 0 and offset[-1] <= len(jpeg)
        if not fits or (np.diff(offset) < 0).any():
            raise ValueError(f'{self.ann_file}: offset does not fit jpeg')
        if labels is not None and len(labels) != count:
            raise ValueError(
                f'{self.ann_file}: {len(labels)} labels for {count} images'
            )
        self._encoded = jpeg, offset
        name = Path(self.ann_file).name
        data_list: list[dict] = [
            {'img_path': f'{name}[{i}]', 'npz_index': i} for i in range(count)
        ]
        if labels is not None:
            for info, label in zip(data_list, labels, strict=True):
                info['gt_label'] = int(label)
        return data_list

    def full_init(self) -> None:
        """List and decode the images."""
        if self._fully_initialized:
            return
        super().full_init()
        self._decode_all()
        self._encoded = None

    def get_data_info(self, idx: int) -> dict:
        """Return one image and its annotation; the image is a copy."""
        info = super().get_data_info(idx)
        if self.store is not None:
            # A copy: transforms that write in place would spoil later epochs.
            info['img'] = self.store[info['store_index']].copy()
            info['img_shape'] = info['ori_shape'] = info['img'].shape[:2]
        return info
