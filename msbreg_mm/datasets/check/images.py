"""Read many image files to see whether they can be read."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from rich.progress import track

from msbreg_mm.datasets.check.result import CheckResult

SUFFIXES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')
"""Suffixes, in lower case, that count as images where no list names the files."""

_ORIENTATION = 0x0112


def list_images(folder: Path) -> list[Path]:
    """Return the image files below ``folder``, sorted."""
    return sorted(
        path
        for path in folder.rglob('*')
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _size(path: Path, decode: bool) -> tuple[int, int] | str:
    """Return (width, height) as a reader that obeys EXIF sees them, or the fault."""
    try:
        with Image.open(path) as image:
            if decode:
                # Only this finds truncated files; OpenCV would fill them with grey.
                image.load()
            width, height = image.size
            if image.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error).replace(str(path), path.name) or type(error).__name__
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
    there = []
    for path in paths:
        if path.is_file():
            there.append(path)
        else:
            result.add('missing-image', where, str(path))
    sizes = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda path: _size(path, decode), there)
        shown = track(
            answers, where, total=len(there), disable=not progress or not there
        )
        for path, answer in zip(there, shown, strict=True):
            if isinstance(answer, str):
                result.add('unreadable-image', where, f'{path.name}: {answer}')
            else:
                sizes[path] = answer
    return sizes
