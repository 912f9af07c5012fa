"""Paths of unit vectors, shown on a sphere."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

from msbreg_mm.utils.errors import OptionError

# Fixed colours of middle lightness: they show on light and on dark pages.
COLOURS = (
    '#3b74d8', '#d9741a', '#2a9d6b', '#b04fa6', '#cf4545',
    '#1795a8', '#9a7b1f', '#7a63d6', '#6d9a2b', '#d0639a',
)  # fmt: skip
OUTLINE = '#9aa0a8'
_ARC = 0.05  # radians between two drawn points of an arc


def project_to_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn unit vectors of D dimensions into unit vectors of 3.

    The three leading right singular vectors of all points (uncentred, so that the
    middle of the sphere stays where it is) span the picture; what lies outside of
    them is dropped and the rest normalised.

    Args:
        points: Unit vectors (…, D), D at least 3.

    Returns:
        Unit vectors (…, 3), and the share of the squared length that the three
        directions hold, in [3/D, 1]; 1 for D = 3.

    Raises:
        OptionError: If D is below 3 or there are fewer than 3 points.
    """
    flat = points.reshape(-1, points.shape[-1])
    if flat.shape[1] < 3 or len(flat) < 3:
        raise OptionError(
            'a sphere in 3-D needs at least 3 points of at least 3 dimensions, got '
            f'{flat.shape[0]} of {flat.shape[1]}'
        )
    _, axes = np.linalg.eigh(flat.T @ flat)
    shown = flat @ axes[:, :-4:-1]
    share = float((shown**2).sum() / (flat**2).sum())
    length = np.linalg.norm(shown, axis=1, keepdims=True)
    shown = shown / np.maximum(length, 1e-12)
    return shown.reshape(*points.shape[:-1], 3), share


def camera(towards: np.ndarray, tilt: float = 0.5) -> np.ndarray:
    """Build the axes of an orthographic picture.

    Args:
        towards: Direction (3,) that is to be seen, not zero.
        tilt: Angle in radians by which it is turned away from the middle.

    Returns:
        Rotation (3, 3): its rows are right, up and towards the eye.
    """
    eye = np.asarray(towards, float) / np.linalg.norm(towards)
    helper = np.eye(3)[np.abs(eye).argmin()]
    right = np.cross(helper, eye)
    right /= np.linalg.norm(right)
    up = np.cross(eye, right)
    eye, right = (
        np.cos(tilt) * eye + np.sin(tilt) * right,
        np.cos(tilt) * right - np.sin(tilt) * eye,
    )
    return np.stack([right, up, eye])


def draw_sphere(axes: Axes) -> None:
    """Draw the outline of the unit sphere and leave out everything else.

    Args:
        axes: Where.
    """
    axes.set_aspect('equal')
    axes.set_axis_off()
    axes.set_xlim(-1.06, 1.06)
    axes.set_ylim(-1.06, 1.06)
    axes.add_patch(Circle((0, 0), 1, facecolor=OUTLINE, alpha=0.09, lw=0))
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=OUTLINE, lw=0.8))


def draw_paths(
    axes: Axes,
    paths: np.ndarray,
    colours: Sequence[str],
    rotation: np.ndarray,
    size: float = 9,
    starts: bool = True,
) -> None:
    """Draw particles with tails that fade towards the past.

    Tails are great circles between the given points and fade along their length.
    What lies on the far side is paler.

    Args:
        axes: Of :func:`draw_sphere`.
        paths: Unit vectors (T, P, 3), oldest first; T = 1 has no tails.
        colours: One per particle.
        rotation: See :func:`camera`.
        size: Area of a dot in square points.
        starts: Whether the first points are drawn, as small rings.
    """
    seen = paths @ rotation.T
    for path, colour in zip(seen.transpose(1, 0, 2), colours, strict=True):
        line = _arcs(path)
        way = np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))
        if len(way) and way[-1] > 0:
            alpha = 0.1 + 0.6 * way / way[-1]
            alpha = alpha * np.where(line[1:, 2] < 0, 0.35, 1)
            segments = np.stack([line[:-1, :2], line[1:, :2]], axis=1)
            axes.add_collection(
                LineCollection(
                    list(segments), colors=colour, alpha=alpha, lw=0.9,
                    rasterized=True, capstyle='butt',
                )
            )  # fmt: skip
    last, first = seen[-1], seen[0]
    order = np.argsort(last[:, 2])
    far = last[order, 2] < 0
    axes.scatter(
        last[order, 0], last[order, 1], s=size, lw=0, zorder=3, rasterized=True,
        c=[colours[i] for i in order],
        alpha=np.where(far, 0.35, 1),  # type: ignore[arg-type]
    )  # fmt: skip
    if starts and len(seen) > 1:
        axes.scatter(
            first[:, 0], first[:, 1], s=size / 2, lw=0.4, facecolors='none', zorder=2,
            edgecolors=list(colours), alpha=0.6, rasterized=True,
        )  # fmt: skip


def _arcs(path: np.ndarray) -> np.ndarray:
    """Fill in points of the great circles between unit vectors (T, 3)."""
    points = [path[:1]]
    for a, b in itertools.pairwise(path):
        angle = float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))
        count = max(int(np.ceil(angle / _ARC)), 1)
        t = np.arange(1, count + 1)[:, None] / count
        # Equal points have no direction, opposite ones many.
        if np.sin(angle) > 1e-6:
            arc = np.sin((1 - t) * angle) * a + np.sin(t * angle) * b
            points.append(arc / np.sin(angle))
        else:
            points.append((1 - t) * a + t * b)
    return np.concatenate(points)
