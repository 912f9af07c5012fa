"""Read and decode images; count those that cannot be decoded."""

import io
import logging
import os
from typing import Any

import cv2
import numpy as np
import torch
from mmengine import fileio
from mmengine.logging import print_log
from PIL import Image

_DECODE_FLAGS = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)


class CorruptImageError(ValueError):
    """An image file that cannot be decoded."""


class SkipCounter:
    """Counts skipped images over a process and its data-loader workers.

    Args:
        limit: How many may be skipped; one more is an error.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # A shared tensor reaches forked and spawned workers alike, which a lock does
        # not; without one, two skips at the very same moment may count as one.
        self._count = torch.zeros(1, dtype=torch.int64).share_memory_()

    def __deepcopy__(self, memo: dict[int, Any]) -> 'SkipCounter':
        # Copies of a pipeline (mmengine's get_subset) count together.
        return self

    @property
    def count(self) -> int:
        """How many images have been skipped."""
        return int(self._count)

    def skip(self, error: CorruptImageError) -> None:
        """Count and report one image.

        Raises:
            CorruptImageError: If more than ``limit`` images have been skipped.
        """
        self._count += 1
        count = self.count
        if count > self.limit:
            raise CorruptImageError(
                f'{error}; {count} corrupt images are more than max_corrupt='
                f'{self.limit}: repair the data or raise max_corrupt'
            ) from error
        print_log(
            f'skipped a corrupt image ({count} so far): {error}',
            logger='current',
            level=logging.WARNING,
        )


def read_bytes(path: str, backend_args: dict | None = None) -> np.ndarray:
    """Return the bytes of a file as a uint8 array.

    Raises:
        OSError: If the file is missing or cannot be read.
    """
    if backend_args is None and '://' not in path:
        try:
            return np.fromfile(path, np.uint8)
        except FileNotFoundError:
            raise FileNotFoundError(
                f'no image file {path!r}: check data_root, data_prefix and ann_file'
            ) from None
    return np.frombuffer(fileio.get(path, backend_args=backend_args), np.uint8)


def decode(
    encoded: np.ndarray | bytes, name: str | os.PathLike, halvings: int = 0
) -> np.ndarray:
    """Decode an image to 8-bit BGR.

    Grey, palette, CMYK and 16-bit images are converted, an alpha channel is
    dropped, and the orientation in a camera's EXIF data is applied.

    Args:
        encoded: The file's bytes.
        name: The file, for the error.
        halvings: Decode a JPEG at 1/2, 1/4 or 1/8 of its size (1 to 3).

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        CorruptImageError: If the file is empty, truncated or no image.
    """
    data = np.frombuffer(encoded, np.uint8)
    image = cv2.imdecode(data, _DECODE_FLAGS[halvings]) if data.size else None
    if image is None:
        raise CorruptImageError(
            f'cannot decode {str(name)!r} ({data.size} bytes): empty, truncated or '
            'not an image'
        )
    return image


def jpeg_size(encoded: np.ndarray | bytes) -> tuple[int, int] | None:
    """Return (height, width) from the header of a JPEG, None for anything else.

    The orientation in EXIF data is not applied.
    """
    if bytes(encoded[:2]) != b'\xff\xd8':
        return None
    try:
        with Image.open(io.BytesIO(bytes(encoded))) as image:
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # the decoder will say what is wrong
