"""Figures as inline SVG that follows the page's light or dark colours."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stand-ins that are replaced by CSS variables in the SVG.
_INK, _MUTED, _RULE = '#010101', '#020202', '#030303'
_SERIES = [f'#0400{index:02x}' for index in range(8)]
_VARIABLES = {_INK: 'var(--ink)', _MUTED: 'var(--muted)', _RULE: 'var(--rule)'} | {
    colour: f'var(--s{index})' for index, colour in enumerate(_SERIES)
}
# Inches; the page shows it about 480 pixels wide.
_WIDTH = 4.6
STYLE: Any = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'msbreg_mm',
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'font.size': 9,
    'axes.edgecolor': _RULE,
    'axes.labelcolor': _MUTED,
    'axes.titlecolor': _INK,
    'axes.titlesize': 10,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': _RULE,
    'grid.linewidth': 0.6,
    'xtick.color': _MUTED,
    'ytick.color': _MUTED,
    'text.color': _INK,
    'lines.linewidth': 1.8,
    'legend.frameon': False,
    'figure.facecolor': 'none',
    'axes.facecolor': 'none',
    'savefig.facecolor': 'none',
}
# One line per series: (x, one list of y per seed).
Bands = Mapping[str, tuple[Sequence[float], Sequence[Sequence[float]]]]
Lines = Mapping[str, tuple[Sequence[float], Sequence[float]]]


class Palette:
    """Gives each checkpoint one colour on the whole page; the baseline is grey.

    Args:
        names: Checkpoints in the order of the tables.
        baselines: Those drawn in grey.
    """

    def __init__(self, names: Sequence[str], baselines: Sequence[str] = ()) -> None:
        others = [name for name in names if name not in baselines]
        self.index = dict.fromkeys(baselines, 0) | {
            name: 1 + i % (len(_SERIES) - 1) for i, name in enumerate(others)
        }

    def colour(self, name: str) -> str:
        """Stand-in colour for matplotlib."""
        return _SERIES[self.css_index(name)]

    def css_index(self, name: str) -> int:
        """Index of the CSS variable ``--s<index>``."""
        return self.index.setdefault(name, 1 + len(self.index) % (len(_SERIES) - 1))


def seed_dots(values: Mapping[str, Sequence[float]], label: str, p: Palette) -> str:
    """Draw every seed as a dot, with the mean as a bar.

    Args:
        values: Checkpoint → one value per seed.
        label: Axis label.
        p: Colours.
    """
    with rc_context(STYLE):
        figure, axes = _figure(_WIDTH, 0.62 + 0.34 * len(values))
        for y, (name, points) in enumerate(values.items()):
            colour = p.colour(name)
            axes.plot(points, [y] * len(points), 'o', color=colour, alpha=0.55, ms=6)
            mean = float(np.mean(points))
            axes.plot([mean, mean], [y - 0.3, y + 0.3], color=colour, lw=2.4)
        axes.set_yticks(range(len(values)), list(values))
        axes.tick_params(axis='y', length=0, labelcolor=_INK)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.grid(visible=False, axis='y')
        axes.spines['left'].set_visible(False)
        axes.set_xlabel(label)
        return to_svg(figure)


def band_plot(
    bands: Bands, title: str, x_label: str, p: Palette, y_label: str = ''
) -> str:
    """Draw means over seeds with a band from the lowest to the highest seed.

    Args:
        bands: Checkpoint → positions and one curve per seed, equally long.
        title: Title.
        x_label: Axis label.
        p: Colours.
        y_label: Axis label.
    """
    with rc_context(STYLE):
        figure, axes = _figure(_WIDTH, 2.7)
        for name, (x, curves) in bands.items():
            y, colour = np.asarray(curves, float), p.colour(name)
            if len(y) > 1:
                low, high = y.min(axis=0), y.max(axis=0)
                axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
            marker = 'o' if len(x) < 15 else ''
            axes.plot(x, y.mean(axis=0), marker=marker, ms=3.5, color=colour)
        _finish(axes, title, x_label)
        axes.set_ylabel(y_label)
        return to_svg(figure)


def line_plot(
    lines: Lines, title: str, x_label: str, p: Palette, log_y: bool = False
) -> str:
    """Draw one line per series.

    Args:
        lines: Series → x and y.
        title: Title.
        x_label: Axis label.
        p: Colours.
        log_y: Logarithmic ordinate.
    """
    with rc_context(STYLE):
        figure, axes = _figure(_WIDTH, 2.7)
        for name, (x, y) in lines.items():
            axes.plot(x, y, color=p.colour(name))
        if log_y:
            axes.set_yscale('log')
        _finish(axes, title, x_label)
        return to_svg(figure)


def bar_plot(
    groups: Mapping[str, Mapping[str, Sequence[float]]], title: str, p: Palette
) -> str:
    """Draw horizontal lollipops: groups × checkpoints, a dot per seed.

    Args:
        groups: Group (a class or size) → checkpoint → one value per seed.
        title: Title.
        p: Colours.
    """
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    with rc_context(STYLE):
        figure, axes = _figure(_WIDTH, 0.7 + 0.11 * len(groups) * (len(names) + 1))
        step = 0.8 / max(len(names), 1)
        for row, group in enumerate(groups.values()):
            for index, name in enumerate(names):
                if not (points := group.get(name)):
                    continue
                y = row + (index - (len(names) - 1) / 2) * step
                mean, colour = float(np.mean(points)), p.colour(name)
                axes.barh(y, mean, height=step * 0.86, color=colour, alpha=0.75)
                axes.plot(points, [y] * len(points), '|', color=_INK, ms=4, mew=0.8)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.tick_params(axis='y', length=0, labelcolor=_INK)
        axes.set_ylim(len(groups) - 0.45, -0.55)
        axes.grid(visible=False, axis='y')
        _finish(axes, title, '')
        return to_svg(figure)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout='constrained')
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    return figure, axes


def _finish(axes: Axes, title: str, x_label: str) -> None:
    axes.set_title(title, pad=8)
    axes.set_xlabel(x_label)
    axes.margins(x=0.02)


def to_svg(figure: Figure) -> str:
    """Write a figure as SVG without a size, its colours as CSS variables.

    Args:
        figure: Drawn under ``rc_context(STYLE)`` with colours of :class:`Palette`.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None})
    text = buffer.getvalue()
    text = text[text.index('<svg') :]
    # Metadata and global styles of one figure have no place in the page; comments and
    # indentation are a quarter of the rest.
    left_out = r'<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|(?<=\n)\s+'
    text = re.sub(left_out, '', text, flags=re.S)
    text = re.sub(r'\n(?=[^<])', ' ', text)  # points of a path on one line
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', text, count=1, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1', text, count=1, flags=re.S)
    text = re.sub(r'<g id="[^"]*"', '<g', text)  # repeated in every figure
    text = re.sub(r'(\d\.\d\d)\d+', r'\1', text)  # a hundredth of a point
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    return text.strip()
