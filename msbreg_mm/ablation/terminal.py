"""The table of an ablation in a terminal of any width."""

from collections.abc import Sequence
from itertools import accumulate

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.ablation.formats import best, cells, footnote, headers, provenance
from msbreg_mm.ablation.results import Results

# To which the names of variants may be folded.
_NAME_WIDTH = 24
# Before which signs figures may be folded: the less the better.
_FOLDS = ('', '[', '[±')
# Beside a column, and beside the table.
_GAP, _EDGES = 2, 3


def print_results(results: Results, console: Console) -> None:
    """Show the table and what it rests on.

    Names are folded first, then figures before their interval or spread; columns
    for which there is still no room are named below the table.

    Args:
        results: The numbers.
        console: Where to print.
    """
    head = headers(results)
    texts = [cells(results, row) for row in results.rows]
    room = console.width - _EDGES
    for signs in _FOLDS:
        rows = [[name, *(_fold(text, signs) for text in row)] for name, *row in texts]
        widths = [_width(*column) for column in zip(head, *rows, strict=True)]
        name_width = min(widths[0], _NAME_WIDTH)
        ends = [name_width + end for end in accumulate(w + _GAP for w in widths[1:])]
        if ends[-1] <= room:
            break
    shown = 1 + max(2, sum(end <= room for end in ends))
    spare = max(0, room - ends[shown - 2])
    widths[0] = min(widths[0], name_width + spare)
    console.print(Text(results.ablation.name, style='bold'))
    console.print(_table(results, head[:shown], rows, widths))
    if left_out := head[shown:]:
        names = '; '.join(left_out)
        line = f'No room for: {names}. ablation.md has all.'
        console.print(Text(line), soft_wrap=True)
    for line in (*provenance(results), footnote(results)):
        console.print(Text(line, style='dim'), soft_wrap=True)


def _fold(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(f' {sign}', f'\n{sign}')
    return text


def _width(title: str, *texts: str) -> int:
    """Return the least width in which no figure and no word of the title breaks."""
    return max(map(len, (*title.split(), *'\n'.join(texts).split('\n'))))


def _table(
    results: Results,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
) -> Table:
    table = Table(header_style='dim', box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, width in zip(head, widths, strict=False):
        table.add_column(
            name,
            justify='right' if table.columns else 'left',
            overflow='fold',
            width=width,
        )
    leaders = {column.title: best(results, column) for column in results.columns}
    for row, texts in zip(results.rows, rows, strict=True):
        table.add_row(
            *(
                Text(text, style='bold' if leaders.get(title) is row else '')
                for title, text in zip(head, texts, strict=False)
            )
        )
    return table
