"""Read many image files to see whether they can be read."""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
from PIL import Image
from rich.progress import track

from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.transforms.reading import (
    CorruptImageError,
    MissingImageError,
    check_file,
    decode,
    read_bytes,
)

_ORIENTATION = 0x0112
_MISSING = 'missing'


def looks_like_image(path: Path) -> bool:
    """Whether a name ends like that of an image, of any format that Pillow knows."""
    return path.suffix.lower() in _suffixes() and not path.is_dir()


@functools.cache
def _suffixes() -> frozenset[str]:
    known = Image.registered_extensions()
    images = {ending for ending, name in known.items() if name in Image.OPEN}
    return frozenset(images - {'.pdf', '.mpg', '.mpeg'})


def _size(path: Path, decode_pixels: bool) -> tuple[int, int] | str:
    """Return (width, height) as a reader that obeys EXIF sees them, or the fault."""
    try:
        check_file(str(path))
        if decode_pixels:
            # By the decoder that trains; only this finds truncated files.
            height, width = decode(read_bytes(str(path)), path.name).shape[:2]
            return width, height
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
    except MissingImageError:
        return _MISSING
    except CorruptImageError as error:
        return str(error).replace(str(path), path.name)
    return width, height


def read_sizes(
    result: CheckResult,
    where: str,
    paths: Sequence[Path],
    decode: bool,
    progress: bool,
) -> dict[Path, tuple[int, int]]:
    """Read image sizes; adds missing and unreadable files to ``result``.

    Args:
        result: Takes the findings.
        where: Split or file that the findings belong to.
        paths: Image files.
        decode: Whether to decode all pixels, not only the header.
        progress: Whether to show a progress bar.

    Returns:
        (width, height) of each file that could be read.
    """
    # A pool of OpenCV's own would hang in a process that is forked later.
    cv2.setNumThreads(0)
    sizes = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda path: _size(path, decode), paths)
        shown = track(
            answers, where, total=len(paths), disable=not progress or not paths
        )
        for path, answer in zip(paths, shown, strict=True):
            if answer == _MISSING:
                result.add('missing-image', where, str(path))
            elif isinstance(answer, str):
                result.add('unreadable-image', where, f'{path.name}: {answer}')
            else:
                sizes[path] = answer
    return sizes
