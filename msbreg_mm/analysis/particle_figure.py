"""The picture of free particles under each force."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from msbreg_mm.analysis.particles import (
    brownian_displacement,
    sample_cap,
    simulate,
    spectra,
    squared_displacement,
)
from msbreg_mm.analysis.sphere import COLOURS, camera, draw_paths, draw_sphere
from msbreg_mm.evaluation.geometry import view_variance
from msbreg_mm.models.losses import (
    BrownianDiffusiveLoss,
    EmbeddingLoss,
    MultiviewCentroidLoss,
    SingularValueLoss,
)
from msbreg_mm.reports.figure_files import save_figure
from msbreg_mm.reports.plots import STYLE, to_svg

_PANELS: Mapping[str, tuple[str, ...]] = {
    'Centroid force': ('centroid',),
    'Singular value force': ('singular_value',),
    'Brownian force': ('brownian',),
    'All three': ('centroid', 'singular_value', 'brownian'),
}


def draw_particles(
    out: str | Path,
    images: int = 16,
    views: int = 4,
    steps: int = 200,
    step_size: float = 0.05,
    weights: Sequence[float] = (1.0, 0.25, 0.3),
    target_momentum: float = 0.9,
    seed: int = 0,
) -> Path:
    """Simulate free particles under the forces and draw paths and measures.

    The defaults are this project's choice, made so that all three forces are
    visible in one picture; they are not the weights of a training run.

    Args:
        out: ``.svg`` file.
        images: Number of images N.
        views: Views of an image K.
        steps: Steps of the descent.
        step_size: η of :func:`~msbreg_mm.analysis.particles.simulate`.
        weights: Of the centroid, singular value and Brownian loss.
        target_momentum: Fraction of the old target that stays, in [0, 1).
        seed: Seed of start and directions.

    Returns:
        The file.

    Raises:
        ValueError: If an argument is out of range.
    """
    start = sample_cap(views, images, spread=0.35, view_spread=0.2, seed=seed)
    losses: dict[str, EmbeddingLoss] = {
        'centroid': MultiviewCentroidLoss(loss_weight=weights[0]),
        'singular_value': SingularValueLoss(loss_weight=weights[1]),
        'brownian': BrownianDiffusiveLoss(loss_weight=weights[2]),
    }
    rotation = camera(start.mean(dim=(0, 1)).numpy())
    colours = [COLOURS[i % len(COLOURS)] for _ in range(views) for i in range(images)]
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.2), layout='constrained')
        grid = figure.subplots(2, len(_PANELS), height_ratios=[1.75, 1])
        for (title, names), column in zip(_PANELS.items(), grid.T, strict=True):
            torch.manual_seed(seed)
            positions = simulate(
                start,
                steps=steps,
                step_size=step_size,
                target_momentum=target_momentum,
                **{name: losses[name] for name in names},  # type: ignore[arg-type]
            )
            column[0].set_title(title, loc='center')
            draw_sphere(column[0])
            paths = positions.flatten(1, 2).numpy()
            draw_paths(column[0], paths, colours, rotation)
            _measure(column[1], names, positions, step_size * weights[2])
        return save_figure(to_svg(figure), out)


def _measure(
    axes: Axes, names: Sequence[str], positions: Tensor, step_length: float
) -> None:
    """Draw what the force of a panel changes, over steps."""
    ink, muted = COLOURS[0], STYLE['axes.labelcolor']
    axes.set_xlabel('step')
    if names == ('centroid',):
        axes.plot(view_variance(positions), color=ink)
        axes.set_title('variance of views', fontsize=9, fontweight='normal')
    elif names == ('brownian',):
        dims = positions.shape[-1]
        expected = brownian_displacement(len(positions) - 1, step_length, dims)
        axes.plot(squared_displacement(positions), color=ink)
        axes.plot(expected, color=muted, lw=1, ls='--')
        axes.set_title('squared displacement', fontsize=9, fontweight='normal')
    else:
        values = spectra(positions)
        axes.plot(values, color=ink)
        axes.axhline(values.shape[1] ** -0.5, color=muted, lw=1, ls='--')
        axes.set_title('singular values / √N', fontsize=9, fontweight='normal')
    axes.set_ylim(bottom=0)
