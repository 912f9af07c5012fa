"""Figures of a page as files of their own."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msbreg_mm.reports.plots import STYLE, WIDTH, Panel, to_svg
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.files import write_text

_FONT = "font-family: 'DejaVu Sans', Verdana, sans-serif"
_PANELS_A_ROW = 3
_NAMES_A_ROW = 5
_LEGEND_LINE = 0.22  # inches


def save_figure(svg: str, path: str | Path) -> Path:
    """Write a figure of the page as a file of its own.

    Args:
        svg: From :func:`msbreg_mm.reports.plots.to_svg`.
        path: ``.svg`` file.

    Returns:
        The file.

    Raises:
        OptionError: If the file is to be of another kind.
    """
    path = Path(path)
    if path.suffix != '.svg':
        raise OptionError(f'figures are written as .svg, got {path}')
    write_text(path, standalone(svg))
    return path


def standalone(svg: str) -> str:
    """Give an SVG of the page a white ground and the light page's colours.

    Args:
        svg: From :func:`msbreg_mm.reports.plots.to_svg`.
    """
    for name, colour in light_colours().items():
        svg = svg.replace(f'var({name})', colour)
    left, top, width, height = _view_box(svg)
    ground = (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="#ffffff"/>'
    )
    head, rest = svg.split('>', 1)
    head = f'{head} width="{width}pt" height="{height}pt" style="{_FONT}"'
    return f'{head}>\n {ground}{rest}\n'


@cache
def light_colours() -> dict[str, str]:
    """CSS variables of the report's light page: ``'--ink'`` → ``'#1c1e21'``."""
    folder = Path(__file__).parent / 'templates'
    style = (folder / 'report.css').read_text(encoding='utf-8')
    root = style[style.index('{') : style.index('}')]
    return dict(re.findall(r'(--[\w-]+):\s*(#\w+)', root))


def sheet(panels: Sequence[Panel], legend: Mapping[str, str]) -> Figure:
    """Draw panels that share their colours as one figure, with a legend on top.

    Args:
        panels: What is drawn, at most three beside each other.
        legend: Name → colour.

    Returns:
        The figure; see :func:`~msbreg_mm.reports.plots.to_svg`.
    """
    across = min(_PANELS_A_ROW, len(panels))
    rows = [panels[i : i + across] for i in range(0, len(panels), across)]
    heights = [max(panel.height for panel in row) for row in rows]
    lines = -(-len(legend) // _NAMES_A_ROW)
    with rc_context(STYLE):
        figure = Figure(
            figsize=(across * WIDTH, sum(heights) + _LEGEND_LINE * lines),
            layout='constrained',
        )
        grid = figure.add_gridspec(len(rows), across, height_ratios=heights)
        for index, panel in enumerate(panels):
            panel.draw(figure.add_subplot(grid[divmod(index, across)]))
        if legend:
            figure.legend(
                handles=[
                    Line2D([], [], marker='o', lw=0, color=colour, label=name)
                    for name, colour in legend.items()
                ],
                loc='outside upper left', ncols=min(_NAMES_A_ROW, len(legend)),
                handletextpad=0.2,
            )  # fmt: skip
    return figure


def save_sheet(panels: Sequence[Panel], legend: Mapping[str, str], path: Path) -> Path:
    """Write :func:`sheet` as a file.

    Args:
        panels: What is drawn.
        legend: Name → colour.
        path: ``.svg`` file.
    """
    with rc_context(STYLE):
        return save_figure(to_svg(sheet(panels, legend)), path)


def _view_box(svg: str) -> list[str]:
    return re.findall(r'viewBox="([^"]*)"', svg)[0].split()
