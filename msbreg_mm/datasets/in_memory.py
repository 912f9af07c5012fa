"""Small data sets, decoded once and kept in memory."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets import CustomDataset
from PIL import Image

from msbreg_mm.datasets.image_lists import read_lines, read_npz
from msbreg_mm.datasets.image_store import (
    ImageStore,
    map_with_progress,
    resize_short_side,
    resized_shape,
)
from msbreg_mm.datasets.transforms.bad_images import BadImagePolicy
from msbreg_mm.datasets.transforms.reading import CorruptImageError, decode, read_bytes
from msbreg_mm.registry import DATASETS
from msbreg_mm.utils.errors import DataError, MissingInputError, OptionError

_GIB = 2**30


@DATASETS.register_module()
class InMemoryImages(CustomDataset):
    """An image folder, file list or ``.npz`` of JPEGs, decoded once at the start.

    Serves ``img`` (decoded, (H, W, 3) uint8 BGR, a copy), ``img_shape``,
    ``ori_shape``, ``sample_idx`` and, with labels, ``gt_label``; a pipeline that
    starts with :class:`MultiViewAugment` reads no file. The images lie in one
    buffer that forked workers share.

    The images come from, in this order:

    - ``ann_file`` that ends in ``.npz``, with the arrays of
      :func:`msbreg_mm.datasets.image_lists.read_npz`;
    - another ``ann_file``: a text file with one ``path label`` or one ``path`` a
      line;
    - the folder ``data_root/data_prefix``: one subfolder per class, or images in
      any depth without labels.

    Args:
        with_label: Whether images have labels. None, the default, looks: an array
            ``label``, an integer at the end of every line, or subfolders and no
            image beside them.
        max_images: Keep this many images, evenly spaced over the list (so of all
            classes); None keeps all.
        short_side: Resize images to this shorter side in pixels; None keeps all
            as they are.
        max_memory_gib: Refuse to start if the decoded images need more. Defaults
            to 8, this project's choice.
        on_corrupt: ``'raise'`` an error for a file that cannot be decoded, or
            ``'skip'`` it with a warning.
        bad_images: How many may be skipped, see
            :class:`msbreg_mm.datasets.transforms.bad_images.BadImagePolicy`.
        num_threads: Threads that decode; the number of cores (at most 8) by
            default.
        **kwargs: See :class:`mmpretrain.datasets.CustomDataset`.

    Raises:
        FileNotFoundError: If a file or folder is missing.
        OptionError: If there are no images, a line or array is malformed, or an
            argument is out of range.
        CorruptImageError: If an image cannot be decoded.
        MemoryError: If the images need more than ``max_memory_gib``.
    """

    def __init__(
        self,
        *args: Any,
        with_label: bool | None = None,
        max_images: int | None = None,
        short_side: int | None = None,
        max_memory_gib: float = 8.0,
        on_corrupt: str = 'raise',
        bad_images: Mapping[str, Any] | None = None,
        num_threads: int | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        given = {
            'max_images': max_images,
            'short_side': short_side,
            'max_memory_gib': max_memory_gib,
            'num_threads': num_threads,
        }
        for name, value in given.items():
            if value is not None and value <= 0:
                raise OptionError(f'{name} must be positive, got {value}')
        if on_corrupt not in ('raise', 'skip'):
            raise OptionError(
                f"on_corrupt must be 'raise' or 'skip', got {on_corrupt!r}"
            )
        self.max_images = max_images
        self.short_side = short_side
        self.max_memory_gib = max_memory_gib
        self.on_corrupt = on_corrupt
        self.bad_images = BadImagePolicy(**(bad_images or {}))
        self.num_threads = num_threads
        self.store: ImageStore | None = None
        self.with_label: bool | None
        self._fully_initialized: bool
        self._encoded: list[np.ndarray] = []
        super().__init__(*args, with_label=with_label, lazy_init=True, **kwargs)
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> list[dict]:
        """List the images; see the class for the three layouts."""
        if self.ann_file and not Path(self.ann_file).is_file():
            raise MissingInputError(
                f'no annotation file {self.ann_file!r}: check data_root and ann_file'
            )
        if str(self.ann_file).endswith('.npz'):
            infos, self._encoded = read_npz(self.ann_file, self.with_label)
        elif self.ann_file:
            infos = read_lines(self.ann_file, self.img_prefix, self.with_label)
        else:
            infos = self._list_folder()
        if not infos:
            raise DataError(f'{self.ann_file or self.img_prefix!r} lists no images')
        self.with_label = 'gt_label' in infos[0]
        if self.max_images is not None and self.max_images < len(infos):
            chosen = np.linspace(0, len(infos), self.max_images, endpoint=False)
            infos = [infos[int(index)] for index in chosen]
        return [{**info, 'store_index': index} for index, info in enumerate(infos)]

    def _list_folder(self) -> list[dict]:
        folder = Path(self.img_prefix)
        if not folder.is_dir():
            raise MissingInputError(
                f'no folder {self.img_prefix!r}: check data_root and data_prefix'
            )
        if self.with_label is None:
            entries = list(folder.iterdir())
            self.with_label = any(entry.is_dir() for entry in entries) and not any(
                self.is_valid_file(entry.name) for entry in entries
            )
        try:
            return super().load_data_list()
        except RuntimeError as error:  # CustomDataset found no image
            raise DataError(
                f'no images below {self.img_prefix!r} with the extensions '
                f'{", ".join(sorted(self.extensions))}'
                + (', in one subfolder per class' if self.with_label else '')
            ) from error

    def full_init(self) -> None:
        """List and decode the images."""
        if self._fully_initialized:
            return
        super().full_init()
        try:
            self._decode_all()
        except BaseException:
            self._fully_initialized = False
            raise
        finally:
            self._encoded = []

    def _decode_all(self) -> None:
        infos = self._infos()
        sizes = map_with_progress(
            self._measure, infos, 'Reading image sizes', self.num_threads
        )
        pixels = np.zeros(1 + max(info['store_index'] for info in infos), np.int64)
        for info, size in zip(infos, sizes, strict=True):
            pixels[info['store_index']] = size
        needed = 3 * pixels.sum() / _GIB
        if needed > self.max_memory_gib:
            raise MemoryError(
                f'{len(infos)} decoded images of {self.ann_file or self.img_prefix!r} '
                f'need {needed:.3g} GiB, more than max_memory_gib='
                f'{self.max_memory_gib:g}: set short_side or max_images, raise '
                'max_memory_gib, or use a data set that reads files'
            )
        self.store = ImageStore(pixels)
        good = map_with_progress(
            self._decode, infos, 'Decoding images', self.num_threads
        )
        if (bad := good.count(False)) > (limit := self.bad_images.limit(len(good))):
            names = [
                info['img_path'] for info, g in zip(infos, good, strict=True) if not g
            ]
            raise CorruptImageError(
                f'{bad} of {len(good)} images of '
                f'{self.ann_file or self.img_prefix!r} cannot be decoded, more than '
                f'the {limit} that bad_images allows: {", ".join(names[:5])}'
                + ('; …' if bad > 5 else '')
            )
        if not all(good):
            self.get_subset_([index for index, fine in enumerate(good) if fine])
        if not len(self):
            raise DataError(
                f'no image of {self.ann_file or self.img_prefix!r} can be decoded'
            )

    def _read(self, info: Mapping[str, Any]) -> np.ndarray:
        if 'pack_index' in info:
            return self._encoded[info['pack_index']]
        return read_bytes(info['img_path'])

    def _measure(self, info: Mapping[str, Any]) -> int:
        """Return the number of pixels to store, from the header; 0 if corrupt."""
        try:
            with Image.open(io.BytesIO(self._read(info).tobytes())) as image:
                width, height = image.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return 0
        if height * width > self.bad_images.max_pixels:
            return 0
        height, width = resized_shape(height, width, self.short_side)
        return height * width

    def _decode(self, info: Mapping[str, Any]) -> bool:
        """Decode one image into the store; False if it is corrupt and skipped."""
        assert self.store is not None
        try:
            limit = self.bad_images.max_pixels
            image = decode(self._read(info), info['img_path'], max_pixels=limit)
            image = resize_short_side(image, self.short_side)
            if not self.store.fits(info['store_index'], image):
                raise CorruptImageError(
                    f'{info["img_path"]!r} decodes to '
                    f'{image.shape[1]}x{image.shape[0]} pixels, unlike its header'
                )
            self.store[info['store_index']] = image
        except CorruptImageError as error:
            if self.on_corrupt == 'raise':
                raise
            print_log(f'left out: {error}', logger='current', level=logging.WARNING)
            return False
        return True

    @property
    def images(self) -> np.ndarray | list[np.ndarray]:
        """All images, (N, H, W, 3) uint8 BGR; a list if their shapes differ."""
        self.full_init()
        assert self.store is not None
        images = [self.store[info['store_index']] for info in self._infos()]
        same = len({image.shape for image in images}) == 1
        return np.stack(images) if same else images

    @property
    def labels(self) -> np.ndarray:
        """All labels, (N,) int64.

        Raises:
            DataError: If the images have no labels.
        """
        self.full_init()
        if not self.with_label:
            raise DataError(f'{self.ann_file or self.img_prefix!r} has no labels')
        return np.array([info['gt_label'] for info in self._infos()], np.int64)

    def _infos(self) -> list[dict]:
        """Return the annotations of all images, without the images."""
        read = super().get_data_info
        return [read(index) for index in range(len(self))]

    def get_data_info(self, idx: int) -> dict:
        """Return one image and its annotation; the image is a copy."""
        info = super().get_data_info(idx)
        assert self.store is not None
        # A copy: transforms that write in place would spoil later epochs.
        info['img'] = self.store[info['store_index']].copy()
        info['img_shape'] = info['ori_shape'] = info['img'].shape[:2]
        return info
