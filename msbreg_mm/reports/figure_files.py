"""Figures of a page as files of their own."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from msbreg_mm.utils.files import write_text

_FONT = "font-family: 'DejaVu Sans', Verdana, sans-serif"
_PANELS_A_ROW = 3
# Points, as everything in the figures.
_GAP, _MARGIN, _LEGEND_ROW, _SWATCH, _LETTER = 14.0, 6.0, 16.0, 9.0, 5.3


def save_figure(svg: str, path: str | Path) -> Path:
    """Write a figure of the page as a file of its own.

    Args:
        svg: From :func:`msbreg_mm.reports.plots.to_svg`.
        path: ``.svg`` file.

    Returns:
        The file.

    Raises:
        ValueError: If the file is to be of another kind.
    """
    path = Path(path)
    if path.suffix != '.svg':
        raise ValueError(f'figures are written as .svg, got {path}')
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


def sheet(figures: Sequence[str], legend: Mapping[str, int]) -> str:
    """Put figures that share their colours on one sheet, with a legend on top.

    Args:
        figures: From :func:`msbreg_mm.reports.plots.to_svg`, of one width.
        legend: Name → index of its colour.

    Returns:
        SVG of the same kind, at most three figures wide.
    """
    sizes = [tuple(map(float, _view_box(figure)[2:])) for figure in figures]
    across = min(_PANELS_A_ROW, len(figures))
    width = across * max(size[0] for size in sizes) + (across - 1) * _GAP
    marks, top = _legend(legend, width)
    parts = []
    for first in range(0, len(figures), across):
        row = range(first, min(first + across, len(figures)))
        for column, index in enumerate(row):
            left = column * (width + _GAP) / across
            place = f' x="{left:.2f}" y="{top:.2f}"'
            place += ' width="{:.2f}" height="{:.2f}"'.format(*sizes[index])
            parts.append(figures[index].replace('<svg', f'<svg{place}', 1))
        top += max(sizes[index][1] for index in row) + _GAP
    head = 'xmlns="http://www.w3.org/2000/svg" version="1.1"'
    box = (-_MARGIN, -_MARGIN, width + 2 * _MARGIN, top - _GAP + 2 * _MARGIN)
    head += ' viewBox="{:.2f} {:.2f} {:.2f} {:.2f}"'.format(*box)
    return '\n'.join([f'<svg {head}>', *marks, *parts, '</svg>'])


def _view_box(svg: str) -> list[str]:
    return re.findall(r'viewBox="([^"]*)"', svg)[0].split()


def _legend(legend: Mapping[str, int], width: float) -> tuple[list[str], float]:
    """Draw names in rows; also return where they end."""
    marks, left, top = [], 0.0, 2.0
    for name, index in legend.items():
        needed = 2 * _SWATCH + _LETTER * len(name) + _GAP
        if left and left + needed > width:
            left, top = 0.0, top + _LEGEND_ROW
        marks.append(
            f'<rect x="{left + 4:.2f}" y="{top:.2f}" width="{_SWATCH}" '
            f'height="{_SWATCH}" rx="2" fill="var(--s{index})"/>'
            f'<text x="{left + 8 + _SWATCH:.2f}" y="{top + _SWATCH - 1:.2f}" '
            f'font-size="9" fill="var(--ink)">{escape(name)}</text>'
        )
        left += needed
    return marks, top + _LEGEND_ROW if marks else 0.0
