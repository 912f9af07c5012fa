"""Masks of COCO annotations, looked at before pycocotools' C code sees them."""

import math
from typing import Any

import numpy as np
from pycocotools import mask as rle

from msbreg_mm.datasets.transforms.reading import MAX_PIXELS

_FARTHEST = 1e6
"""Pixels from the corner; C code walks along a polygon's edges step by step."""


def drawable(height: Any, width: Any) -> bool:
    """Whether an image of this size has pixels, and not too many to draw a mask."""
    sides = all(isinstance(side, int | float) and side > 0 for side in (height, width))
    return sides and height * width <= MAX_PIXELS


def unsafe(mask: Any) -> str:
    """Say why a mask must not reach C code; empty if it may.

    Numbers that are not finite or absurdly large take pycocotools to any amount of
    memory or to a segmentation fault. No reader has rules for them.

    Args:
        mask: List of polygons or a dictionary with a run-length code.
    """
    if isinstance(mask, dict):
        return _unsafe_runs(mask)
    for ring in mask if isinstance(mask, list) else ():
        for value in ring if isinstance(ring, list) else ():
            if not isinstance(value, int | float):
                return f'{value!r} in a polygon is no number'
            if not math.isfinite(value) or abs(value) > _FARTHEST:
                return f'{value!r} in a polygon is not finite or too large'
    return ''


def _unsafe_runs(mask: dict) -> str:
    size, counts = mask.get('size'), mask.get('counts')
    pair = size if isinstance(size, list) and len(size) == 2 else [0, 0]
    if not all(type(side) is int and side > 0 for side in pair):
        return f'RLE size {size!r}'
    if pair[0] * pair[1] > MAX_PIXELS:
        return f'RLE size {size!r} is too large'
    if isinstance(counts, list):
        if not all(type(run) is int and 0 <= run <= MAX_PIXELS for run in counts):
            return 'counts of an RLE must be whole numbers from 0'
    elif isinstance(counts, str) and not all(48 <= ord(char) < 112 for char in counts):
        return 'counts of a compressed RLE have a character that no encoder writes'
    return ''


def pixels(mask: Any, height: int, width: int) -> int:
    """Count the pixels of a mask that :func:`unsafe` has passed, as mmdet reads it.

    Raises:
        ValueError: If it cannot be decoded or has another size than its image.
    """
    if isinstance(mask, list):
        return int(rle.area(rle.merge(rle.frPyObjects(mask, height, width))))
    if list(mask['size']) != [height, width]:
        raise ValueError(f'RLE size {mask["size"]}, image [{height}, {width}]')
    if isinstance(mask['counts'], list):
        if sum(mask['counts']) != height * width:
            raise ValueError(f'the runs do not fill {height} x {width} pixels')
        mask = rle.frPyObjects(mask, height, width)
    return int(np.count_nonzero(rle.decode(mask)))
