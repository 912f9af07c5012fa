"""Photographs that scikit-image and scikit-learn ship, and random crops of them."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from msbreg_mm.utils.errors import MissingInputError


def _folder(package: str, *parts: str) -> Path:
    """Find a folder of a package without importing it; it may be absent."""
    spec = find_spec(package)
    root = Path(spec.origin).parent if spec and spec.origin else Path(package)
    return root.joinpath(*parts)


_SKIMAGE = _folder('skimage', 'data')
_SKLEARN = _folder('sklearn', 'datasets', 'images')

PHOTOS = {
    'train': (
        _SKIMAGE / 'astronaut.png',
        _SKIMAGE / 'chelsea.png',
        _SKIMAGE / 'motorcycle_left.png',
        _SKIMAGE / 'hubble_deep_field.jpg',
        _SKIMAGE / 'ihc.png',
        _SKIMAGE / 'brick.png',
        _SKIMAGE / 'grass.png',
        _SKIMAGE / 'camera.png',
        _SKLEARN / 'china.jpg',
    ),
    'val': (
        _SKIMAGE / 'coffee.png',
        _SKIMAGE / 'rocket.jpg',
        _SKIMAGE / 'gravel.png',
        _SKLEARN / 'flower.jpg',
    ),
}
"""Files per split; val shares no photograph with train (and unlabelled)."""


@lru_cache(maxsize=32)
def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MissingInputError(
            f'the background photograph {path.name} is not in {path.parent}; '
            "it comes with scikit-image or scikit-learn: pip install 'msbreg_mm[demo]'"
        )
    return image


def recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the hue, scale saturation and value, and tint at random.

    Args:
        image: BGR, uint8, shape (H, W, 3); not changed.
        rng: Draws the amounts.

    Returns:
        BGR, float32 in [0, 255], same shape.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 180)) % 180
    hsv[..., 1] *= rng.uniform(0.4, 1.3)
    hsv[..., 2] *= rng.uniform(0.6, 1.1)
    bgr = cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR)
    # Grey photographs have no hue to turn: the tint keeps them from being told apart.
    tint = rng.uniform(0.65, 1.25, 3).astype(np.float32)
    return (bgr.astype(np.float32) * tint).clip(0, 255)


def photo_crop(split: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a random square of a random photograph, turned, flipped and recoloured.

    Args:
        split: ``'train'`` or ``'val'``.
        size: Side of the result in pixels.
        rng: Draws everything.

    Returns:
        BGR, float32 in [0, 255], shape (size, size, 3).
    """
    photos = PHOTOS[split]
    image = _read(photos[rng.integers(len(photos))])
    limit = min(image.shape[:2])
    side = int(rng.uniform(0.25, 0.9) * limit)
    top = rng.integers(image.shape[0] - side + 1)
    left = rng.integers(image.shape[1] - side + 1)
    crop = image[top : top + side, left : left + side]
    shrinks = side > size
    crop = cv2.resize(
        crop, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    crop = np.rot90(crop, int(rng.integers(4)))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return recolour(np.ascontiguousarray(crop), rng)
