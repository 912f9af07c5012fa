"""Compose one picture: textured shapes that occlude each other over a photograph."""

from dataclasses import dataclass

import cv2
import numpy as np

from msbreg_mm.datasets.shapes.outlines import CLASSES, unit_outline
from msbreg_mm.datasets.shapes.photos import photo_crop
from msbreg_mm.datasets.shapes.textures import filling
from msbreg_mm.utils.errors import OptionError

_SUPERSAMPLING = 4
_PLACEMENT_TRIES = 30


@dataclass(frozen=True)
class SceneStyle:
    """How full and how hard the pictures are; all values are this project's choice.

    Args:
        min_objects: Fewest objects per picture, at least 1.
        max_objects: Most objects that are tried to be placed, at most 254.
        min_diameter: Smallest diameter as a fraction of the picture's side.
        max_diameter: Largest diameter as a fraction of the picture's side.
        min_visible: Least part of an object that may stay visible, in [0.05, 0.9].
        same_class: Probability that a further object repeats the first one's class:
            a picture then has a subject, which self-supervised learning can find.
        noise: Standard deviation of the pixel noise, of 255.
    """

    min_objects: int = 2
    max_objects: int = 4
    min_diameter: float = 0.22
    max_diameter: float = 0.5
    min_visible: float = 0.7
    same_class: float = 0.4
    noise: float = 4.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        # 255 is VOC's void index, 0 its background.
        if not 1 <= self.min_objects <= self.max_objects <= 254:
            raise OptionError(
                'style: 1 <= min_objects <= max_objects <= 254 is needed, got '
                f'{self.min_objects} and {self.max_objects}'
            )
        if not 0 < self.min_diameter <= self.max_diameter <= 1:
            raise OptionError(
                'style: 0 < min_diameter <= max_diameter <= 1 is needed, got '
                f'{self.min_diameter} and {self.max_diameter}'
            )
        for name, low, high in (
            ('min_visible', 0.05, 0.9),
            ('same_class', 0, 1),
            ('noise', 0, 255),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(
                    f'style: {name} must be in [{low}, {high}], got {value}'
                )


@dataclass(frozen=True)
class Scene:
    """A picture and its visible masks.

    Args:
        image: BGR, uint8, shape (S, S, 3).
        masks: Visible pixels per object, bool, shape (objects, S, S), disjoint.
        labels: Zero-based index into ``CLASSES``, shape (objects,).
        occluded: Whether another object or the border hides a part, shape (objects,).
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    occluded: np.ndarray


def _coverage(
    label: int, size: int, style: SceneStyle, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw one shape: coverage in [0, 1] per pixel, and its full area in pixels."""
    spread = np.log([style.min_diameter, style.max_diameter])
    radius = 0.5 * size * np.exp(rng.uniform(*spread))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    squeeze = np.array([1.0, rng.uniform(0.75, 1.0)])
    tilt = rng.uniform(0, 2 * np.pi)
    lean = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    centre = rng.uniform(0.6 * radius, size - 0.6 * radius, 2)
    transform = radius * (lean * squeeze) @ turn
    rings = [ring @ transform for ring in unit_outline(CLASSES[label], rng)]

    # A margin around the picture shows the whole shape, so its full area is known.
    margin = int(np.ceil(radius)) + 1
    side = size + 2 * margin
    canvas = np.zeros((side * _SUPERSAMPLING, side * _SUPERSAMPLING), np.uint8)
    points = [
        np.round((ring + centre + margin) * _SUPERSAMPLING).astype(np.int32)
        for ring in rings
    ]
    cv2.fillPoly(canvas, points, 1)
    cover = cv2.resize(
        canvas.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA
    )
    inside = slice(margin, margin + size)
    return cover[inside, inside], float((cover > 0.5).sum())


def _place(
    labels: np.ndarray, size: int, style: SceneStyle, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[int], list[np.ndarray], list[float]]:
    """Put the objects down back to front, keeping each one visible enough."""
    covers: list[np.ndarray] = []
    kept: list[int] = []
    masks: list[np.ndarray] = []
    areas: list[float] = []
    for label in labels:
        for _ in range(_PLACEMENT_TRIES):
            cover, area = _coverage(int(label), size, style, rng)
            top = cover > 0.5
            below = [mask & ~top for mask in masks]
            fractions = [
                mask.sum() / full
                for mask, full in zip([*below, top], [*areas, area], strict=True)
            ]
            if min(fractions) >= style.min_visible:
                covers.append(cover)
                kept.append(int(label))
                masks = [*below, top]
                areas.append(area)
                break
    return covers, kept, masks, areas


def _paint(
    image: np.ndarray, cover: np.ndarray, split: str, rng: np.random.Generator
) -> None:
    """Paint one shape, and half of the time its shadow, over ``image`` in place."""
    size = len(image)
    background = image[cover > 0.5].mean(axis=0)
    if rng.random() < 0.5:
        # A soft shadow: a cue of depth where shapes overlap.
        shift = rng.uniform(-3, 3, 2) * size / 128
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        shadow = cv2.warpAffine(cover, move, (size, size))
        shadow = cv2.GaussianBlur(shadow, (0, 0), 1.5 * size / 128)
        image *= 1 - np.float32(rng.uniform(0.2, 0.6)) * shadow[..., None]
    x, y, width, height = cv2.boundingRect((cover > 0).astype(np.uint8))
    period = rng.uniform(4, 14) * size / 128
    texture = filling(split, max(width, height), period, background, rng)
    box = slice(y, y + height), slice(x, x + width)
    weight = cover[box][..., None]
    image[box] += weight * (texture[:height, :width] - image[box])


def draw_scene(split: str, size: int, style: SceneStyle, seed: list[int]) -> Scene:
    """Draw one picture; equal arguments give equal pixels.

    Args:
        split: Which photographs to use, ``'train'`` or ``'val'``.
        size: Side of the picture in pixels.
        style: How full and how hard it is.
        seed: Non-negative integers that name this picture.

    Returns:
        The picture with at least one object.
    """
    rng = np.random.default_rng(seed)
    image = photo_crop(split, size, rng)
    count = rng.integers(style.min_objects, style.max_objects + 1)
    labels = rng.integers(len(CLASSES), size=count)
    labels[1:][rng.random(count - 1) < style.same_class] = labels[0]
    covers, kept, masks, areas = _place(labels, size, style, rng)
    for cover in covers:
        _paint(image, cover, split, rng)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image += np.float32(style.noise) * noise
    return Scene(
        image=image.clip(0, 255).astype(np.uint8),
        masks=np.stack(masks),
        labels=np.array(kept),
        occluded=np.array(
            [mask.sum() < 0.98 * a for mask, a in zip(masks, areas, strict=True)]
        ),
    )
