"""Fillings of the shapes: drawn independently of the class."""

import cv2
import numpy as np

from msbreg_mm.datasets.shapes.photos import photo_crop

_MIN_CONTRAST = 70.0
"""Least distance between the filling's and the background's mean colour, of 441."""


def _distant_colour(background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a BGR colour that is not too close to ``background``, shape (3,)."""
    colour = rng.uniform(10, 245, 3)
    while np.linalg.norm(colour - background) < _MIN_CONTRAST:
        colour = rng.uniform(10, 245, 3)
    return colour.astype(np.float32)


def _noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """Sum of upsampled random grids, stretched to [0, 1], shape (size, size)."""
    total = np.zeros((size, size), np.float32)
    for cells, weight in ((6, 0.5), (14, 0.3), (40, 0.2)):
        grid = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return (total - total.min()) / (np.ptp(total) + 1e-6)


def _pattern(size: int, period: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a pattern in [0, 1] of the given period in pixels, shape (size, size)."""
    angle = rng.uniform(0, np.pi)
    line = np.arange(size, dtype=np.float32) * (2 * np.pi / period)
    cosine, sine = line * np.float32(np.cos(angle)), line * np.float32(np.sin(angle))
    along = cosine[None, :] + sine[:, None]
    across = cosine[:, None] - sine[None, :]
    sharpness = np.float32(rng.uniform(0.8, 4.0))
    kind = rng.choice(['plain', 'stripes', 'checks', 'noise'])
    if kind == 'stripes':
        return 0.5 + 0.5 * np.tanh(sharpness * np.sin(along))
    if kind == 'checks':
        waves = np.sin(along) * np.sin(across)
        return 0.5 + 0.5 * np.tanh(2 * sharpness * waves)
    if kind == 'noise':
        return _noise(size, rng)
    return np.full((size, size), 0.5, np.float32)


def filling(
    split: str,
    size: int,
    period: float,
    background: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a texture: plain, stripes, checks, noise or a piece of a photograph.

    Args:
        split: Which photographs may be used, ``'train'`` or ``'val'``.
        size: Side of the texture in pixels.
        period: Period of stripes and checks in pixels.
        background: Mean BGR colour around the object, shape (3,); the filling keeps
            a distance from it, else the object could not be seen.
        rng: Draws everything.

    Returns:
        BGR, float32 in [0, 255], shape (size, size, 3).
    """
    first = _distant_colour(background, rng)
    if rng.random() < 0.3:
        photo = photo_crop(split, size, rng)
        texture = first + np.float32(0.8) * (photo - photo.mean(axis=(0, 1)))
    else:
        second = first + rng.uniform(-110, 110, 3).astype(np.float32)
        weight = _pattern(size, period, rng)[..., None]
        texture = first * (1 - weight) + second * weight
    direction = rng.normal(size=2)
    direction *= rng.uniform(0, 0.6) / np.linalg.norm(direction)
    ramp = np.linspace(-0.5, 0.5, size)
    light = 1 + direction[0] * ramp[:, None] + direction[1] * ramp[None, :]
    return (texture * light[..., None].astype(np.float32)).clip(0, 255)
