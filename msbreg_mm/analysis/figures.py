"""Figures of the analysis page."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msbreg_mm.analysis.sphere import COLOURS, OUTLINE
from msbreg_mm.datasets.sample import ImageSample
from msbreg_mm.reports.plots import STYLE, to_svg

_PANELS_A_ROW = 3
_RESOLUTION = 110  # dots per inch of what is drawn as pixels


def class_colours(sample: ImageSample) -> dict[int, str]:
    """Give classes colours: all of at most ten, else ten evenly spaced ones.

    Args:
        sample: Images with labels.

    Returns:
        Class → colour; what is not in it is drawn grey. Empty without labels.
    """
    if sample.labels is None:
        return {}
    there = np.unique(sample.labels)
    count = min(len(there), len(COLOURS))
    chosen = there[[int((i + 0.5) * len(there) / count) for i in range(count)]]
    return {int(label): COLOURS[i] for i, label in enumerate(chosen)}


def map_figure(
    maps: Mapping[str, np.ndarray],
    sample: ImageSample,
    colours: Mapping[int, str],
    legend: bool = False,
) -> str:
    """Draw maps of the same images side by side.

    Args:
        maps: Title → (N, 2).
        sample: The images.
        colours: See :func:`class_colours`.
        legend: Whether to name the classes below.

    Returns:
        SVG for the page.
    """
    columns = min(len(maps), _PANELS_A_ROW)
    rows = math.ceil(len(maps) / columns)
    with rc_context({**STYLE, 'savefig.dpi': _RESOLUTION}):
        figure = Figure(
            figsize=(3.2 * columns, 3.1 * rows + 0.4 * legend), layout='constrained'
        )
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for axes, (title, points) in zip(grid, maps.items(), strict=False):
            axes.set_title(title)
            _scatter(axes, points, sample.labels, colours)
        for axes in list(grid)[len(maps) :]:
            axes.set_axis_off()
        if legend and colours:
            figure.legend(
                handles=[_dot(c, sample.class_name(n)) for n, c in colours.items()],
                loc='outside lower center', ncols=5, handletextpad=0.2, fontsize=8,
            )  # fmt: skip
        return to_svg(figure)


def _scatter(
    axes: Axes,
    points: np.ndarray,
    labels: np.ndarray | None,
    colours: Mapping[int, str],
) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect('equal', adjustable='datalim')
    axes.spines[['left', 'bottom']].set_visible(False)
    size = float(np.clip(4000 / len(points), 4, 30))
    known = np.full(len(points), COLOURS[0] if labels is None else OUTLINE, object)
    for label, colour in colours.items():
        known[labels == label] = colour
    # Grey first, the classes that can be told apart on top, and larger.
    order = np.argsort(known != OUTLINE, kind='stable')
    grey = known[order] == OUTLINE
    x, y = points[order].T
    axes.scatter(
        x, y, c=list(known[order]), s=np.where(grey, size, size * (1 + grey.any())),
        alpha=np.where(grey, 0.3, 0.85),  # type: ignore[arg-type]
        lw=0, rasterized=True,
    )  # fmt: skip


def _dot(colour: str, text: str) -> Line2D:
    return Line2D([], [], marker='o', lw=0, ms=5, color=colour, label=text)
