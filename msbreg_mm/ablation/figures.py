"""Figures of an ablation, in the style of the transfer report."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from msbreg_mm.ablation.layout import log_axis
from msbreg_mm.reports.plots import STYLE, Palette, Panel, draw_seeds, name_rows

# Name of a line → (x, values of the seeds at each x).
Points = Mapping[str, Sequence[tuple[float, Sequence[float]]]]


def factor_plot(lines: Points, title: str, x_label: str, p: Palette) -> Panel:
    """Draw a metric along a numeric factor: seeds as dots, means as a line.

    The axis is logarithmic where the levels span about a decade; a level of 0 then
    stands at its left end.

    Args:
        lines: Name → level and values of the seeds.
        title: Name of the metric.
        x_label: Name of the factor.
        p: Colours.
    """
    levels = sorted({x for line in lines.values() for x, _ in line})

    def draw(axes: Axes) -> None:
        for name, line in lines.items():
            colour = p.colour(name)
            x = np.array([level for level, _ in line])
            mean = np.array([np.mean(values) for _, values in line])
            std = np.array([_std(values) for _, values in line])
            axes.fill_between(x, mean - std, mean + std, color=colour, alpha=0.18, lw=0)
            axes.plot(x, mean, color=colour)
            for level, values in line:
                axes.plot([level] * len(values), values, 'o', color=colour, ms=4.5,
                          alpha=0.6)  # fmt: skip
        if log_axis(levels):
            smallest = min(level for level in levels if level > 0)
            if min(levels) > 0:
                axes.set_xscale('log')
            else:
                axes.set_xscale('symlog', linthresh=smallest, linscale=0.6)
        axes.set_xticks(levels, [f'{level:g}' for level in levels])
        axes.minorticks_off()
        axes.set_title(title, pad=8)
        axes.set_xlabel(x_label)

    return Panel(draw)


def grouped_dots(
    groups: Mapping[str, Mapping[str, Sequence[float]]], label: str, p: Palette
) -> Panel:
    """Draw every seed as a dot and the mean as a bar, series beside each other.

    Args:
        groups: Row of the figure → series → one value per seed.
        label: Axis label.
        p: Colours.
    """
    heights = [max(len(group), 1) * 0.17 + 0.14 for group in groups.values()]

    def draw(axes: Axes) -> None:
        top, ticks = 0.0, []
        for group, height in zip(groups.values(), heights, strict=True):
            ticks.append(top + height / 2)
            for index, (name, values) in enumerate(group.items()):
                y = top + 0.07 + 0.17 * (index + 0.5)
                draw_seeds(axes, values, y, p.colour(name), 0.08)
            top += height
            axes.axhline(top, color=STYLE['grid.color'], lw=0.6)
        name_rows(axes, ticks, list(groups))
        axes.set_ylim(top, 0)
        axes.spines['left'].set_visible(False)
        axes.set_xlabel(label)

    return Panel(draw, 0.62 + sum(heights))


def _std(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
