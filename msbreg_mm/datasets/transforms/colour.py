"""Colour jitter, grey, blur and solarisation of uint8 BGR views with OpenCV.

The chain of brightness, contrast, saturation and hue changes (random order,
clamped after each) is nonlinear only where it clamps and where the hue crosses a
sextant of the HSV hexagon, so on one view it is close to an affine map of the
three channels. :func:`jitter` runs the chain on a grid of about 256 pixels
only, fits that map by least squares and applies it to the whole view in one pass.
"""

import functools
from collections.abc import Sequence
from itertools import permutations, product

import cv2
import numpy as np

# Rec. 601 weights of B, G, R, as torchvision and OpenCV use them for grey.
GRAY_WEIGHTS = np.array([0.114, 0.587, 0.299])
ORDERS = tuple(permutations(range(4)))
# More pixels in the grid bring the fit no closer.
_GRID_PIXELS = 256
# A view of at most this many pixels gets the chain itself, which is faster there.
_EXACT_PIXELS = 96 * 96
# The corners of a colour cube keep the fit defined on grey or flat views.
_ANCHORS = np.array(list(product((64, 192), repeat=3)), np.uint8)[None]
_SMALL_WEIGHT = 0.01
_BLUR_STEPS = 50  # sigmas per pixel for which kernels are kept
_MAX_SIGMA = 4.0  # beyond, weights in units of 1/256 are too coarse

Factors = Sequence[float]


def apply_chain(
    image: np.ndarray, factors: Factors, order: Sequence[int], anchors: int = 0
) -> np.ndarray:
    """Change brightness, contrast, saturation and hue one after another.

    The operations are those of ``torchvision.transforms.ColorJitter``, rounded to
    uint8 and clamped after each.

    Args:
        image: (H, W, 3) uint8, BGR.
        factors: Brightness, contrast and saturation factors (1 changes nothing)
            and the rotation of the hue in turns (0 changes nothing).
        order: Permutation of 0–3, the order of the four operations.
        anchors: How many of the last columns do not belong to the picture and do not
            count in the mean grey that contrast keeps.

    Returns:
        (H, W, 3) uint8.
    """
    for index in order:
        factor = factors[index]
        if index == 3:
            image = rotate_hue(image, factor) if factor else image
        elif factor == 1:
            continue
        elif index == 0:
            image = cv2.addWeighted(image, factor, image, 0, 0)
        elif index == 1:
            mean = np.asarray(cv2.mean(image[:, : image.shape[1] - anchors]))
            gray = float(mean[:3] @ GRAY_WEIGHTS)
            image = cv2.addWeighted(image, factor, image, 0, (1 - factor) * gray)
        else:
            image = cv2.addWeighted(image, factor, to_gray(image), 1 - factor, 0)
    return image


def rotate_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Rotate the hue in HSV space, as torchvision does, in steps of 1/256 turn."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
    # uint8 wraps around as hue does.
    np.add(hsv[..., 0], np.uint8(round(turns * 256) % 256), out=hsv[..., 0])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


def to_gray(image: np.ndarray) -> np.ndarray:
    """Return the image without colour, still with three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def fit_chain(image: np.ndarray, factors: Factors, order: Sequence[int]) -> np.ndarray:
    """Fit the affine map that does to this image what :func:`apply_chain` does.

    Args:
        image: (H, W, 3) uint8, BGR.
        factors: As in :func:`apply_chain`.
        order: As in :func:`apply_chain`.

    Returns:
        (3, 4) matrix for :func:`cv2.transform`.
    """
    height, width = image.shape[:2]
    step = max(1, round((height * width / _GRID_PIXELS) ** 0.5))
    grid = image[step // 2 :: step, step // 2 :: step].reshape(1, -1, 3)
    pixels = np.concatenate([grid, _ANCHORS], axis=1)
    after = apply_chain(pixels, factors, order, anchors=_ANCHORS.shape[1])[0]
    x = np.ones((pixels.shape[1], 4))
    x[:, :3] = pixels[0]
    weights = np.ones((len(x), 1))
    weights[-_ANCHORS.shape[1] :] = _SMALL_WEIGHT
    dark, bright = after == 0, after == 255
    clamped = (dark | bright).any(axis=1)
    if not clamped.any():
        return _solve(x, weights, after).T
    # The map is clamped when it is applied, so a clamped sample only says that the
    # map is at or beyond the limit: fit the others, then take that fit's values for
    # the clamped ones (one round of EM for a Tobit model; more add little).
    guess = x @ _solve(x, np.where(clamped[:, None], _SMALL_WEIGHT, weights), after)
    bound = np.where(dark, np.minimum(guess, 0), after)
    return _solve(x, weights, np.where(bright, np.maximum(guess, 255), bound)).T


def _solve(x: np.ndarray, weights: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weighted least-squares solution of ``x @ fit = y``."""
    weighted = (x * weights).T
    return np.linalg.inv(weighted @ x) @ (weighted @ y)


def jitter(
    image: np.ndarray, factors: Factors, order: Sequence[int], exact: bool = False
) -> np.ndarray:
    """Jitter the colours of a view.

    Args:
        image: (H, W, 3) uint8, BGR.
        factors: As in :func:`apply_chain`.
        order: As in :func:`apply_chain`.
        exact: Whether to run the chain on every pixel instead of fitting it.

    Returns:
        (H, W, 3) uint8.
    """
    if exact or image.shape[0] * image.shape[1] <= _EXACT_PIXELS:
        return apply_chain(image, factors, order)
    return cv2.transform(image, fit_chain(image, factors, order))


@functools.cache
def _kernel(step: int) -> np.ndarray | None:
    """Return the Gaussian kernel of sigma ``step / _BLUR_STEPS``, None if trivial.

    OpenCV filters uint8 images with weights in units of 1/256. They are rounded
    here such that they sum to exactly one, or the blur would change brightness.
    """
    sigma = step / _BLUR_STEPS
    radius = int(4 * sigma) + 1
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
    levels = np.round(256 * weights / weights.sum())
    levels[radius] += 256 - levels.sum()
    levels = levels[levels > 0]
    return None if len(levels) == 1 else (levels / 256).astype(np.float32)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian of ``sigma`` pixels; the border is mirrored."""
    if sigma > _MAX_SIGMA:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    kernel = _kernel(round(sigma * _BLUR_STEPS))
    if kernel is None:
        return image
    return cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)


@functools.cache
def solarize_table(threshold: int) -> np.ndarray:
    """Return the look-up table that inverts levels of at least ``threshold``."""
    levels = np.arange(256, dtype=np.uint8)
    return np.where(levels >= threshold, 255 - levels, levels)
