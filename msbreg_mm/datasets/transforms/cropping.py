"""Random resized crops as torchvision draws them, resized by OpenCV."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from msbreg_mm.datasets.transforms.view_config import ViewConfig

_ENLARGE = {'bicubic': cv2.INTER_CUBIC, 'bilinear': cv2.INTER_LINEAR}
# Attempts before the central crop, as in torchvision's RandomResizedCrop.
_ATTEMPTS = 10
# Uniform numbers that `draw_crop` takes.
CROP_DRAWS = 4 + 2 * (_ATTEMPTS - 1)
# Up to this size OpenCV's own bicubic filter beats the one that Intel's IPP provides,
# whose preparation alone takes 30 µs (measured: 10 against 31 µs at 32 pixels, 38
# against 56 at 64, 91 against 69 at 96).
_MAX_SIZE_WITHOUT_IPP = 64
# Crops this many times as large as the view are taken from a halved image.
_HALVE_FROM = 1.8

Box = tuple[int, int, int, int]


def draw_crop(view: ViewConfig, height: int, width: int, draws: Sequence[float]) -> Box:
    """Draw a crop with torchvision's ``RandomResizedCrop`` rule.

    Args:
        view: Gives ``crop_scale`` and ``crop_ratio``.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        draws: Uniform numbers in [0, 1): area, ratio, top, left, then area and ratio
            of further attempts, for where the first crop does not fit. After
            the last ones numpy's global state gives more.

    Returns:
        Left, top, width and height in pixels; always inside the image.
    """
    low, high = view.crop_scale
    log_low, log_high = math.log(view.crop_ratio[0]), math.log(view.crop_ratio[1])
    area, ratio, top, left = draws[:4]
    for attempt in range(1, _ATTEMPTS + 1):
        target = height * width * (low + (high - low) * area)
        aspect = math.exp(log_low + (log_high - log_low) * ratio)
        w = round(math.sqrt(target * aspect))
        h = round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            x, y = int(left * (width - w + 1)), int(top * (height - h + 1))
            return x, y, w, h
        given = draws[2 * attempt + 2 : 2 * attempt + 4]
        area, ratio = given if len(given) else np.random.random_sample(2).tolist()
    return _central_crop(view, height, width)


def _central_crop(view: ViewConfig, height: int, width: int) -> Box:
    """Return the largest central crop whose ratio lies in the range."""
    aspect = min(max(width / height, view.crop_ratio[0]), view.crop_ratio[1])
    w = min(width, max(1, round(height * aspect)))
    h = min(height, max(1, round(width / aspect)))
    return (width - w) // 2, (height - h) // 2, w, h


class Pyramid:
    """An image and its halvings, made when a view first needs them.

    Args:
        image: (H, W, 3) uint8.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.levels = [image]

    def level(self, index: int) -> np.ndarray:
        """Return the image halved ``index`` times by 2×2 averaging."""
        while len(self.levels) <= index:
            last = self.levels[-1]
            size = max(1, last.shape[1] // 2), max(1, last.shape[0] // 2)
            even = last[: 2 * size[1], : 2 * size[0]]
            self.levels.append(cv2.resize(even, size, interpolation=cv2.INTER_AREA))
        return self.levels[index]


def needless_halvings(views: Sequence[ViewConfig], height: int, width: int) -> int:
    """Return how often an image can be halved before any view loses detail.

    Each crop of such an image would be taken from that level or a smaller one
    anyway, see :func:`resize_crop`.

    Args:
        views: All views of the image.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        0 to 3, what JPEG decoders offer.
    """
    if any(view.interpolation == 'area' for view in views):
        return 0
    shrink = min(
        math.sqrt(view.crop_scale[0] * height * width) / view.size for view in views
    )
    return sum(shrink >= _HALVE_FROM * 2**level for level in range(3))


def resize_crop(
    pyramid: Pyramid, box: Box, size: int, interpolation: str
) -> np.ndarray:
    """Cut ``box`` out of the image and resize it to ``size`` × ``size``.

    OpenCV's bicubic and bilinear filters do not widen when they shrink, unlike
    Pillow's and torchvision's, so plain use of them would alias. A crop at least
    1.8 times as large as the view is taken from a halved image; between 1.1 and
    that, the bilinear filter comes closest to Pillow's antialiased bicubic one: on
    photographs the root mean square difference to it is at most 4 of 255 levels.
    ``'area'`` averages exactly, at four to eight times the cost of the others.

    Args:
        pyramid: The image.
        box: Left, top, width, height.
        size: Side of the result in pixels.
        interpolation: ``'bicubic'``, ``'bilinear'`` or ``'area'``.

    Returns:
        (size, size, 3) uint8.
    """
    x, y, w, h = box
    shrink = math.sqrt(w * h) / size
    if interpolation == 'area':
        crop = pyramid.level(0)[y : y + h, x : x + w]
        return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    level = 0
    while shrink >= _HALVE_FROM and min(w, h) >= 2:
        x, y, w, h, shrink = x // 2, y // 2, w // 2, h // 2, shrink / 2
        level += 1
    filter_ = _ENLARGE[interpolation] if shrink < 1.1 else cv2.INTER_LINEAR
    crop = pyramid.level(level)[y : y + h, x : x + w]
    if filter_ != cv2.INTER_CUBIC or size > _MAX_SIZE_WITHOUT_IPP:
        return cv2.resize(crop, (size, size), interpolation=filter_)
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)  # of this thread only
    try:
        return cv2.resize(crop, (size, size), interpolation=filter_)
    finally:
        cv2.ipp.setUseIPP(used)
