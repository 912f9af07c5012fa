"""Read and decode images; every file that cannot be read is named."""

import io
import os
import stat
from typing import Any

import cv2
import numpy as np
from mmengine import fileio
from PIL import Image

from msbreg_mm.utils.errors import InputError

MAX_PIXELS = 89_478_485
"""Pixels of the largest image that is decoded; Pillow warns from there on."""

# No format needs more bytes a pixel; a longer file is not read at all.
_BYTES_PER_PIXEL = 16

_DECODE_FLAGS = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)
_KINDS = {
    stat.S_ISDIR: 'a folder',
    stat.S_ISFIFO: 'a pipe',
    stat.S_ISSOCK: 'a socket',
    stat.S_ISCHR: 'a device',
    stat.S_ISBLK: 'a device',
}


class CorruptImageError(InputError, ValueError):
    """An image file that cannot be read or decoded, or is too large."""


class MissingImageError(CorruptImageError, FileNotFoundError):
    """An image file that is not there."""


def check_file(path: str, max_pixels: int = MAX_PIXELS) -> None:
    """Find what makes an image file unreadable or too large, from its header.

    Nothing but the header is read: a picture of 60,000 x 60,000 pixels fits in 200
    bytes.

    Raises:
        CorruptImageError: If it is no regular file, empty, no image that Pillow
            knows, or has more than ``max_pixels`` pixels.
        MissingImageError: If it is missing, or a link to nothing.
    """
    _check_regular(path, max_pixels)
    try:
        with open(path, 'rb') as file:
            _check_header(file, path, max_pixels)
    except OSError as error:
        raise _unreadable(path, error) from None


def read_bytes(
    path: str, backend_args: dict | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Return the bytes of a file as a uint8 array.

    Raises:
        CorruptImageError: If it is no regular file, cannot be read, or is longer
            than any image of ``max_pixels`` pixels.
        MissingImageError: If it is missing, or a link to nothing.
    """
    if backend_args is None and '://' not in path:
        _check_regular(path, max_pixels)
        try:
            return np.fromfile(path, np.uint8)
        except OSError as error:
            raise _unreadable(path, error) from None
    return np.frombuffer(fileio.get(path, backend_args=backend_args), np.uint8)


def decode(
    encoded: np.ndarray | bytes,
    name: str | os.PathLike,
    halvings: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decode an image to 8-bit BGR.

    Grey, palette, CMYK and 16-bit images are converted, an alpha channel is
    dropped, and the orientation in a camera's EXIF data is applied.

    Args:
        encoded: The file's bytes.
        name: The file, for the error.
        halvings: Decode a JPEG at 1/2, 1/4 or 1/8 of its size (1 to 3).
        max_pixels: Refuse an image whose header announces more.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        CorruptImageError: If the file is empty, truncated, no image or too large.
    """
    data = np.frombuffer(encoded, np.uint8)
    cause = 'empty, truncated or not an image'
    image = None
    if data.size:
        _check_header(io.BytesIO(memoryview(data)), name, max_pixels)  # type: ignore[arg-type]
        try:
            image = cv2.imdecode(data, _DECODE_FLAGS[halvings])
        except cv2.error as error:
            cause = str(error).strip()
    if image is None:
        raise CorruptImageError(
            f'cannot decode {str(name)!r} ({data.size} bytes): {cause}'
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


def _check_regular(path: str, max_pixels: int) -> None:
    """Raise unless it is a file that can be opened without waiting for a writer."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        kind = next((k for test, k in _KINDS.items() if test(status.st_mode)), '')
        raise CorruptImageError(f'cannot read {path!r}: it is {kind or "no file"}')
    if status.st_size == 0:
        raise CorruptImageError(f'cannot decode {path!r} (0 bytes): empty')
    if status.st_size > _BYTES_PER_PIXEL * max_pixels:
        raise CorruptImageError(
            f'cannot read {path!r}: {status.st_size:,} bytes are more than any image '
            f'of max_pixels={max_pixels:,} needs'
        )


def _check_header(file: Any, name: str | os.PathLike, max_pixels: int) -> None:
    """Raise if Pillow does not know the format, or there are too many pixels."""
    try:
        with Image.open(file) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise CorruptImageError(
            f'cannot decode {str(name)!r}: {error}; bad_images.max_pixels='
            f'{max_pixels:,}'
        ) from None
    # Pillow's readers raise what their parsing of damaged bytes happens to raise.
    except Exception as error:
        size = file.seek(0, os.SEEK_END) if not file.closed else 'no'
        reason = (
            str(error) if not isinstance(error, Image.UnidentifiedImageError) else ''
        )
        raise CorruptImageError(
            f'cannot decode {str(name)!r} ({size} bytes): '
            f'{reason or "empty, truncated or not an image"}'
        ) from None
    if width * height > max_pixels:
        raise CorruptImageError(
            f'cannot decode {str(name)!r}: {width} x {height} pixels are more than '
            f'max_pixels={max_pixels:,}; make it smaller, or raise '
            'bad_images.max_pixels'
        )


def _unreadable(path: str, error: Exception) -> CorruptImageError:
    if isinstance(error, FileNotFoundError):
        return MissingImageError(
            f'no image file {path!r}: check data_root, data_prefix and ann_file'
        )
    reason = getattr(error, 'strerror', None) or str(error)
    return CorruptImageError(f'cannot read {path!r}: {reason}')
