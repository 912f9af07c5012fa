"""The picture of embeddings that move on the sphere through training."""

from pathlib import Path

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msbreg_mm.analysis.sphere import (
    COLOURS,
    camera,
    draw_paths,
    draw_sphere,
    project_to_sphere,
)
from msbreg_mm.evaluation.geometry import view_variance
from msbreg_mm.evaluation.trajectory import Trajectory
from msbreg_mm.reports.figure_files import save_figure
from msbreg_mm.reports.plots import STYLE, to_svg
from msbreg_mm.utils.errors import OptionError

_SPHERES = 4


def draw_trajectory(trajectory: Trajectory, out: str | Path) -> Path:
    """Draw the sphere at a few times, and two measures over all.

    Each sphere shows the way since the one before it.

    All times share one projection, see
    :func:`~msbreg_mm.analysis.sphere.project_to_sphere`; the measures are those of
    all D dimensions. Colours are images if there are at most ten, else classes if
    there are labels.

    Args:
        trajectory: With at least 2 times.
        out: ``.svg`` file.

    Returns:
        The file.

    Raises:
        OptionError: If there are fewer than 2 times.
    """
    count, dims = len(trajectory.times), trajectory.embeddings.shape[-1]
    if count < 2:
        raise OptionError(f'a trajectory needs at least 2 times, got {count}')
    paths, share = project_to_sphere(trajectory.embeddings)
    rotation = camera(paths.mean(axis=(0, 1, 2)))
    paths, colours = paths.reshape(count, -1, 3), _colours(trajectory)
    shown = _snapshots(count)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.4), layout='constrained')
        grid = figure.add_gridspec(2, 2 * len(shown), height_ratios=[1.75, 1])
        previous = 0
        for index, last in enumerate(shown):
            axes = figure.add_subplot(grid[0, 2 * index : 2 * index + 2])
            axes.set_title(
                f'{trajectory.unit} {trajectory.times[last]:g}', loc='center'
            )
            draw_sphere(axes)
            draw_paths(axes, paths[previous : last + 1], colours, rotation)
            previous = last
        figure.supxlabel(
            f'Spheres: {min(dims, 3)} of {dims} dimensions, {share:.0%} of the squared '
            'length. Curves: all dimensions.',
            fontsize=8, color=STYLE['axes.labelcolor'],
        )  # fmt: skip
        left = figure.add_subplot(grid[1, : len(shown)])
        right = figure.add_subplot(grid[1, len(shown) :])
        _curve(left, trajectory, view_variances(trajectory), 'variance of views')
        _curve(right, trajectory, image_cosines(trajectory), 'cosine between images')
        return save_figure(to_svg(figure), out)


def _snapshots(count: int) -> list[int]:
    """Choose rows of a trajectory, denser at the start, where most happens."""
    steps = np.linspace(0, 1, min(_SPHERES, count)) ** 2
    return np.unique((steps * (count - 1)).round().astype(int)).tolist()


def view_variances(trajectory: Trajectory) -> np.ndarray:
    """Mean squared distance of views from their image's centroid, (T,)."""
    return view_variance(torch.from_numpy(trajectory.embeddings).double()).numpy()


def image_cosines(trajectory: Trajectory) -> np.ndarray:
    """Mean cosine of different images in one view, (T,); 1 where all are one point."""
    z = trajectory.embeddings.astype(np.float64)
    number = z.shape[2]
    # |Σz|² is N plus the sum over pairs of different images, for unit vectors.
    total = (z.sum(axis=2) ** 2).sum(axis=-1).mean(axis=1)
    return (total - number) / (number * (number - 1))


def _curve(axes: Axes, trajectory: Trajectory, values: np.ndarray, title: str) -> None:
    marker = 'o' if len(values) < 30 else ''
    axes.plot(trajectory.times, values, color=COLOURS[0], marker=marker, ms=3)
    axes.set_title(title, fontsize=9, fontweight='normal')
    axes.set_xlabel(trajectory.unit)
    axes.set_ylim(min(0, float(values.min())), max(1.15 * float(values.max()), 0.01))


def _colours(trajectory: Trajectory) -> list[str]:
    views, images = trajectory.embeddings.shape[1:3]
    keys = np.arange(images)
    if images > len(COLOURS) and (trajectory.labels >= 0).all():
        keys = np.unique(trajectory.labels, return_inverse=True)[1]
    return [
        COLOURS[keys[i] % len(COLOURS)] for _ in range(views) for i in range(images)
    ]
