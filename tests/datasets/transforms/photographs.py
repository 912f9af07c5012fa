"""Photographs that installed packages ship, for tests of augmentation statistics."""

import functools

import cv2
import numpy as np
import skimage.data
from sklearn.datasets import load_sample_images


@functools.cache
def photographs() -> list[np.ndarray]:
    """Return five photographs of about 500×375 pixels, (H, W, 3) uint8 BGR."""
    images = [
        skimage.data.astronaut(),
        skimage.data.chelsea(),
        skimage.data.coffee(),
        *load_sample_images().images,
    ]
    return [
        cv2.resize(image[..., ::-1], (500, 375), interpolation=cv2.INTER_AREA)
        for image in images
    ]


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root mean square difference in levels of 255."""
    return float(np.sqrt(((a.astype(float) - b.astype(float)) ** 2).mean()))
