"""Outlines of the shape classes as polygons in the unit disc."""

import numpy as np

CLASSES = ('disc', 'square', 'triangle', 'star', 'ring', 'cross', 'crescent')
"""Class names; the position is the zero-based label, COCO's category id is one more."""

_ARC_POINTS = 48


def _arc(radius: float, start: float, stop: float, x: float = 0.0) -> np.ndarray:
    angles = np.linspace(start, stop, _ARC_POINTS)
    return np.stack([x + radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _regular(corners: int, inner: float | None = None) -> np.ndarray:
    """Corners of a regular polygon, or of a star with the inner radius ``inner``."""
    count = corners if inner is None else 2 * corners
    angles = np.arange(count) * 2 * np.pi / count
    radii = np.ones(count)
    if inner is not None:
        radii[1::2] = inner
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _cross(rng: np.random.Generator) -> list[np.ndarray]:
    arm = rng.uniform(0.26, 0.38)
    quarter = np.array([[1.0, -arm], [1.0, arm], [arm, arm]])
    turns = [np.array([[0, 1], [-1, 0]]), np.eye(2)]
    points = [quarter @ np.linalg.matrix_power(turns[0], k) for k in range(4)]
    return [np.concatenate(points) / np.hypot(1.0, arm)]


def _crescent(rng: np.random.Generator) -> list[np.ndarray]:
    """Unit disc less a disc of radius ``bite`` whose centre is moved to the right."""
    bite = rng.uniform(0.75, 0.9)
    shift = rng.uniform(0.45, 0.6)
    cut_x = (1 - bite**2 + shift**2) / (2 * shift)
    outer = np.arctan2(np.sqrt(1 - cut_x**2), cut_x)
    inner = np.arctan2(np.sqrt(1 - cut_x**2), cut_x - shift)
    return [
        np.concatenate(
            [
                _arc(1.0, outer, 2 * np.pi - outer),
                _arc(bite, 2 * np.pi - inner, inner, x=shift),
            ]
        )
    ]


def unit_outline(name: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the outline of one shape, with a little variation of its proportions.

    Args:
        name: One of :data:`CLASSES`.
        rng: Draws the proportions (arm width, depth of the bite, ...).

    Returns:
        Closed rings, each of shape (points, 2), inside the unit disc; the shape is
        their even-odd filling, so that a ring within a ring is a hole.

    Raises:
        ValueError: If ``name`` is no class.
    """
    if name == 'disc':
        return [_arc(1.0, 0, 2 * np.pi)]
    if name == 'square':
        return [_regular(4)]
    if name == 'triangle':
        return [_regular(3)]
    if name == 'star':
        return [_regular(5, inner=rng.uniform(0.38, 0.5))]
    if name == 'ring':
        return [
            _arc(1.0, 0, 2 * np.pi),
            _arc(rng.uniform(0.45, 0.62), 0, 2 * np.pi),
        ]
    if name == 'cross':
        return _cross(rng)
    if name == 'crescent':
        return _crescent(rng)
    raise ValueError(f'no shape class {name!r}; the classes are {", ".join(CLASSES)}')
