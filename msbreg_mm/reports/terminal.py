"""Tables in a terminal of any width."""

from collections.abc import Sequence
from itertools import accumulate

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.reports.cells import (
    footnote,
    headers,
    overview_cells,
    pair_cells,
    provenance,
    published_cells,
    row_cells,
)
from msbreg_mm.reports.overview import build_overview
from msbreg_mm.reports.table import ResultTable, best

# To which the names of rows may be folded.
_NAME_WIDTH = 24
# Before which signs figures may be folded: the less the better.
_FOLDS = ('', '[', '[±')
# Beside a column, and beside the table.
_GAP, _EDGES = 2, 3

Cells = list[list[str]]


def print_tables(tables: Sequence[ResultTable], console: Console) -> None:
    """Show tables and what they rest on.

    Names are folded first, then figures before their interval or spread; columns
    for which there is still no room are named below the table.

    Args:
        tables: The numbers.
        console: Where to print.
    """
    for table in tables:
        console.print(Text(table.task, style='bold'))
        if table.protocol:
            _line(f'Protocol: {table.protocol}', console, 'dim')
        rows = [row_cells(table, row) for row in table.rows]
        bold = {}
        for column in table.columns:
            if leader := best(table, column):
                bold[column.heading] = table.rows.index(leader)
        _print([headers(table), *rows], published_cells(table), bold, console)
        for pair in pair_cells(table)[1:] if table.protocol else []:
            metrics = zip(table.columns, pair[1:], strict=True)
            differences = '; '.join(f'{c.title} {text}' for c, text in metrics)
            _line(f'{pair[0]}: {differences}', console)
        _line('; '.join(provenance(table)) + '.', console, 'dim')
        _line(footnote(table), console, 'dim')
    if len(tables) > 1:
        console.print(Text('Overview', style='bold'))
        _print(overview_cells(build_overview(tables)), [], {}, console)


def _print(cells: Cells, published: Cells, bold: dict[str, int], to: Console) -> None:
    head, *texts = cells
    texts += published
    room = to.width - _EDGES
    for signs in _FOLDS:
        rows = [[name, *(_fold(text, signs) for text in row)] for name, *row in texts]
        widths = [_width(*column) for column in zip(head, *rows, strict=True)]
        name_width = min(widths[0], _NAME_WIDTH)
        ends = [name_width + end for end in accumulate(w + _GAP for w in widths[1:])]
        if ends[-1] <= room:
            break
    shown = 1 + min(len(ends), max(2, sum(end <= room for end in ends)))
    spare = max(0, room - ends[shown - 2])
    widths[0] = min(widths[0], name_width + spare)
    table = Table(header_style='dim', box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, width in zip(head[:shown], widths, strict=False):
        justify = 'right' if table.columns else 'left'
        table.add_column(name, justify=justify, overflow='fold', width=width)  # type: ignore[arg-type]
    for index, row in enumerate(rows):
        if published and index == len(rows) - len(published):
            table.add_section()
        dim = 'dim' if index >= len(rows) - len(published) else ''
        styles = ['bold' if bold.get(title) == index else dim for title in head]
        table.add_row(*map(Text, row[:shown], styles[:shown]))
    to.print(table)
    if left_out := '; '.join(head[shown:]):
        _line(f'No room for: {left_out}. The report has all.', to)


def _line(text: str, console: Console, style: str = '') -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _fold(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(f' {sign}', f'\n{sign}')
    return text


def _width(title: str, *texts: str) -> int:
    """Return the least width in which no figure and no word of the title breaks."""
    return max(map(len, (*title.split(), *'\n'.join(texts).split('\n'))))
