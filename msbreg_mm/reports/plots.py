"""Figures as inline SVG that follows the page's light or dark colours."""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

# Stand-ins that are replaced by CSS variables in the SVG.
_INK, _MUTED, _RULE = '#010101', '#020202', '#030303'
_SERIES = [f'#0400{index:02x}' for index in range(8)]
_VARIABLES = {_INK: 'var(--ink)', _MUTED: 'var(--muted)', _RULE: 'var(--rule)'} | {
    colour: f'var(--s{index})' for index, colour in enumerate(_SERIES)
}
# Inches; the page shows it about 480 pixels wide.
WIDTH = 4.6
STYLE: Any = {
    # A name with $ is a name; no label of ours is a formula.
    'text.parse_math': False,
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
    'axes.axisbelow': True,
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
        return series_colour(self.css_index(name))

    def css_index(self, name: str) -> int:
        """Index of the CSS variable ``--s<index>``."""
        return self.index.setdefault(name, 1 + len(self.index) % (len(_SERIES) - 1))

    def legend(self, names: Iterable[str]) -> dict[str, int]:
        """Names with the index of their colour."""
        return {name: self.css_index(name) for name in names}


def series_colour(index: int) -> str:
    """Stand-in for the CSS variable ``--s<index>``."""
    return _SERIES[index]


@dataclass(frozen=True)
class Panel:
    """A plot that is drawn into whatever axes it is given.

    Attributes:
        draw: Draws it into axes; called under ``rc_context(STYLE)``.
        height: Inches that it needs at the page's width.
    """

    draw: Callable[[Axes], None]
    height: float = 2.7

    def svg(self) -> str:
        """Draw it alone, as SVG for the page."""
        with rc_context(STYLE):
            figure = Figure(figsize=(WIDTH, self.height), layout='constrained')
            self.draw(figure.add_subplot())
            return to_svg(figure)


def seed_dots(values: Mapping[str, Sequence[float]], label: str, p: Palette) -> Panel:
    """Draw every seed as a dot, with the mean as a bar.

    Args:
        values: Checkpoint → one value per seed.
        label: Axis label.
        p: Colours.
    """

    def draw(axes: Axes) -> None:
        for y, (name, points) in enumerate(values.items()):
            draw_seeds(axes, points, y, p.colour(name), 0.3)
        name_rows(axes, range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.spines['left'].set_visible(False)
        axes.set_xlabel(label)

    return Panel(draw, 0.62 + 0.34 * len(values))


def band_plot(
    bands: Bands, title: str, x_label: str, p: Palette, y_label: str = ''
) -> Panel:
    """Draw means over seeds with a band from the lowest to the highest seed.

    Args:
        bands: Checkpoint → positions and one curve per seed, equally long.
        title: Title.
        x_label: Axis label.
        p: Colours.
        y_label: Axis label.
    """

    def draw(axes: Axes) -> None:
        for name, (x, curves) in bands.items():
            y, colour = np.asarray(curves, float), p.colour(name)
            if len(y) > 1:
                low, high = y.min(axis=0), y.max(axis=0)
                axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
            marker = 'o' if len(x) < 15 else ''
            axes.plot(x, y.mean(axis=0), marker=marker, ms=3.5, color=colour)
        _finish(axes, title, x_label)
        axes.set_ylabel(y_label)

    return Panel(draw)


def line_plot(
    lines: Lines, title: str, x_label: str, p: Palette, log_y: bool = False
) -> Panel:
    """Draw one line per series.

    Args:
        lines: Series → x and y.
        title: Title.
        x_label: Axis label.
        p: Colours.
        log_y: Logarithmic ordinate.
    """

    def draw(axes: Axes) -> None:
        for name, (x, y) in lines.items():
            axes.plot(x, y, color=p.colour(name))
        if log_y:
            axes.set_yscale('log')
            plain_ticks(axes.yaxis)
        _finish(axes, title, x_label)

    return Panel(draw)


def spectrum_plot(spectra: Mapping[str, Sequence[float]], p: Palette) -> Panel:
    """Draw singular values over the largest, logarithmically.

    Args:
        spectra: Checkpoint → singular values, descending.
        p: Colours.
    """
    lines: Lines = {
        name: (
            range(1, len(values) + 1),
            np.maximum(np.asarray(values) / max(values[0], 1e-300), 1e-8).tolist(),
        )
        for name, values in spectra.items()
    }
    return line_plot(lines, 'Singular values / largest', 'index', p, log_y=True)


def bar_plot(
    groups: Mapping[str, Mapping[str, Sequence[float]]], title: str, p: Palette
) -> Panel:
    """Draw horizontal lollipops: groups × checkpoints, a dot per seed.

    Args:
        groups: Group (a class or size) → checkpoint → one value per seed.
        title: Title.
        p: Colours.
    """
    names = list(dict.fromkeys(name for group in groups.values() for name in group))

    def draw(axes: Axes) -> None:
        step = 0.8 / max(len(names), 1)
        for row, group in enumerate(groups.values()):
            for index, name in enumerate(names):
                if not (points := group.get(name)):
                    continue
                y = row + (index - (len(names) - 1) / 2) * step
                mean, colour = float(np.mean(points)), p.colour(name)
                axes.barh(y, mean, height=step * 0.86, color=colour, alpha=0.75)
                axes.plot(points, [y] * len(points), '|', color=_INK, ms=4, mew=0.8)
        name_rows(axes, range(len(groups)), list(groups))
        axes.set_ylim(len(groups) - 0.45, -0.55)
        _finish(axes, title, '')

    return Panel(draw, 0.7 + 0.11 * len(groups) * (len(names) + 1))


def draw_seeds(
    axes: Axes, values: Sequence[float], y: float, colour: str, reach: float
) -> None:
    """Draw values as dots on a line and their mean as a bar across it.

    Args:
        axes: Where.
        values: One per seed.
        y: Height of the line.
        colour: Colour.
        reach: How far the bar reaches up and down.
    """
    mean = float(np.mean(values))
    axes.plot(values, [y] * len(values), 'o', color=colour, alpha=0.6, ms=5.5)
    axes.plot([mean, mean], [y - reach, y + reach], color=colour, lw=2.4)


def name_rows(axes: Axes, positions: Sequence[float], names: Sequence[str]) -> None:
    """Put names at the left of horizontal rows, in place of an ordinate."""
    axes.set_yticks(positions, list(names))
    axes.tick_params(axis='y', length=0, labelcolor=_INK)
    axes.grid(visible=False, axis='y')


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
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', text, count=1, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1', text, count=1, flags=re.S)
    # Between tags stand names, which stay as they are.
    return re.sub(r'<[^>]*>', lambda tag: _short(tag[0]), text).strip()


def _short(tag: str) -> str:
    tag = tag.replace('\n', ' ')  # points of a path on one line
    tag = re.sub(r'<g id="[^"]*"', '<g', tag)  # repeated in every figure
    tag = re.sub(r'(\d\.\d\d)\d+', r'\1', tag)  # a hundredth of a point
    for stand_in, variable in _VARIABLES.items():
        tag = tag.replace(stand_in, variable)
    return tag


def plain_ticks(axis: Axis) -> None:
    """Label the ticks of a logarithmic axis without formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axis.set_minor_formatter(NullFormatter())
