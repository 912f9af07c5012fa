"""Decoded images of any sizes in one buffer, filled by threads."""

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import cv2
import numpy as np
from rich.progress import Progress

# A progress bar for less than this many seconds would only flicker.
_QUIET_SECONDS = 2.0
# Images a thread takes at once: a small image costs less than a task's hand-over.
_CHUNK = 64

Item = TypeVar('Item')
Result = TypeVar('Result')


class ImageStore:
    """Images in one uint8 buffer, which forked workers share.

    A list of arrays would be copied page by page, as reading an object writes its
    reference count.

    Args:
        pixels: (N,) number of pixels of each image; 0 leaves one out.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        ends = np.cumsum(3 * pixels.astype(np.int64))
        self.offsets = np.concatenate([[0], ends])
        self.shapes = np.zeros((len(pixels), 2), np.int64)
        self.buffer = np.empty(self.offsets[-1], np.uint8)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'ImageStore':
        # mmengine's get_subset copies a data set; the images stay shared.
        return self

    def fits(self, index: int, image: np.ndarray) -> bool:
        """Whether an image has as many pixels as are kept for it."""
        return image.size == self.offsets[index + 1] - self.offsets[index]

    def __setitem__(self, index: int, image: np.ndarray) -> None:
        self.shapes[index] = image.shape[:2]
        self[index][:] = image

    def __getitem__(self, index: int) -> np.ndarray:
        height, width = self.shapes[index]
        start = self.offsets[index]
        flat = self.buffer[start : start + 3 * height * width]
        return flat.reshape(height, width, 3)


def resized_shape(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return height and width once the shorter one is ``short_side``."""
    if short_side is None:
        return height, width
    scale = short_side / min(height, width)
    # Half up, not Python's half to even: equal for an image and its transpose.
    return math.floor(height * scale + 0.5), math.floor(width * scale + 0.5)


def resize_short_side(image: np.ndarray, short_side: int | None) -> np.ndarray:
    """Resize an image such that its shorter side is ``short_side`` pixels."""
    height, width = resized_shape(image.shape[0], image.shape[1], short_side)
    if (height, width) == image.shape[:2]:
        return image
    shrinks = height < image.shape[0]
    return cv2.resize(
        image,
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
    )


def map_with_progress(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    num_threads: int | None = None,
) -> list[Result]:
    """Map a function over items by threads; a bar shows if it takes a while.

    Args:
        function: Releases the interpreter's lock for most of its time.
        items: Its arguments.
        description: What is shown beside the bar.
        num_threads: Number of threads; the usable cores, at most 8, by default.

    Returns:
        The results in the order of ``items``.
    """
    chunks = [items[first : first + _CHUNK] for first in range(0, len(items), _CHUNK)]
    threads = num_threads or min(8, os.cpu_count() or 1)
    progress = Progress(transient=True)
    task = progress.add_task(description, total=len(items))
    results: list[Result] = []
    begin = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for chunk in pool.map(lambda c: [function(item) for item in c], chunks):
                results += chunk
                progress.update(task, advance=len(chunk))
                late = time.monotonic() - begin > _QUIET_SECONDS
                if late and not progress.live.is_started:
                    progress.start()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            if progress.live.is_started:
                progress.stop()
    return results
