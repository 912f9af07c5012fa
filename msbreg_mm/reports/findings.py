"""Sentences about a table, made from the numbers that it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from msbreg_mm.reports.cells import format_difference
from msbreg_mm.reports.statistics import (
    Difference,
    mark_after_holm,
    paired_difference,
)
from msbreg_mm.reports.table import ResultTable, Row
from msbreg_mm.runs.columns import Column

# Of more rows each metric gets one sentence instead of each row.
_MOST_ROWS = 6
# In the order in which they are said.
BETTER, WORSE, HIGHER, LOWER, LOST, OPEN, FEW, UNKNOWN = (
    'better', 'worse', 'higher', 'lower', 'lost', 'open', 'few', 'unknown',
)  # fmt: skip
_WORDS = {
    BETTER: 'better in {}',
    WORSE: 'worse in {}',
    HIGHER: 'higher in {}, where neither direction is better',
    LOWER: 'lower in {}, where neither direction is better',
    LOST: 'a difference that does not outlast the correction for all comparisons in {}',
    OPEN: 'no difference shown in {}',
    FEW: 'no difference shown in {}, but two seeds hardly show one',
    UNKNOWN: 'not known in {}: without a spread over seeds nothing says what is noise',
}
_COUNTED = {
    BETTER: '{} better',
    WORSE: '{} worse',
    HIGHER: '{} higher',
    LOWER: '{} lower',
    LOST: '{} that differ, but not after the correction for all comparisons',
    OPEN: '{} with no difference shown',
    FEW: '{} with no difference shown by only two seeds',
    UNKNOWN: '{} without a spread over seeds, so not known',
}


@dataclass(frozen=True)
class Comparison:
    """A row against another in one metric."""

    row: Row
    column: Column
    difference: Difference


def findings(table: ResultTable) -> list[str]:
    """Say how rows compare with their reference and with random initialisation.

    Args:
        table: Filled, see :func:`~msbreg_mm.reports.table.fill`.

    Returns:
        A sentence per row, or per metric where there are many rows; then what has no
        numbers. They say of every metric whose differences the table shows whether
        it is better, worse, or not told apart.
    """
    shown = [column for column in table.columns if table.compares(column)]
    found = [
        Comparison(row, column, difference)
        for row in table.rows
        for column in shown
        if (difference := row.differences.get(column.key))
    ]
    sentences = _say(table, found, table.reference)
    random = next((row for row in table.rows if row.is_random), None)
    if random is not None and not random.is_reference:
        found = _against(table, random, shown or table.columns[:1])
        sentences += _say(table, found, f'{random.name!r}', most=3)
    return sentences + _missing(table, found)


def verdict(comparison: Comparison) -> str:
    """Name what a comparison shows: one of the words of this module."""
    difference, better = comparison.difference, comparison.column.better or 0
    if difference.low is None:
        return UNKNOWN
    if not difference.significant:
        if difference.leaves_out_zero:
            return LOST
        return FEW if difference.n == 2 else OPEN
    if not better:
        return HIGHER if difference.mean > 0 else LOWER
    return BETTER if difference.mean * better > 0 else WORSE


def _against(
    table: ResultTable, other: Row, columns: Sequence[Column]
) -> list[Comparison]:
    """Compare all rows with one, corrected for their number."""
    pairs = [
        (row, column, difference)
        for row in table.rows
        if row is not other
        for column in columns
        if (
            difference := paired_difference(
                row.by_seed(column.key), other.by_seed(column.key)
            )
        )
    ]
    marked = mark_after_holm([difference for _, _, difference in pairs])
    return [
        Comparison(row, column, difference)
        for (row, column, _), difference in zip(pairs, marked, strict=True)
    ]


def _say(
    table: ResultTable, found: list[Comparison], reference: str, most: int = _MOST_ROWS
) -> list[str]:
    rows = list(dict.fromkeys(comparison.row.name for comparison in found))
    if len(rows) <= most:
        return [
            _of_row(name, reference, [c for c in found if c.row.name == name])
            for name in rows
        ]
    columns = list(dict.fromkeys(comparison.column for comparison in found))
    return [
        _of_column(table, reference, [c for c in found if c.column == column])
        for column in columns
    ]


def _of_row(name: str, reference: str, found: list[Comparison]) -> str:
    numbers = sorted({comparison.difference.n for comparison in found})
    seeds = ' or '.join(map(str, numbers))
    parts = []
    for kind, words in _WORDS.items():
        named = [
            f'{c.column.title} ({_number(c)})' for c in found if verdict(c) == kind
        ]
        if named:
            parts.append(words.format(_join(named)))
    plural = 's' * (numbers != [1])
    return f'{name} against {reference}, {seeds} shared seed{plural}: ' + (
        f'{"; ".join(parts)}.'
    )


def _of_column(table: ResultTable, reference: str, found: list[Comparison]) -> str:
    parts = []
    for kind, words in _COUNTED.items():
        of_kind = [c for c in found if verdict(c) == kind]
        if not of_kind:
            continue
        text = words.format(len(of_kind))
        if kind not in (OPEN, FEW, UNKNOWN):
            furthest = max(of_kind, key=lambda c: abs(c.difference.mean))
            text += f' (most: {furthest.row.name}, {_number(furthest)})'
        parts.append(text)
    title = found[0].column.title
    return (
        f'{title}, {len(found)} {table.noun}s against {reference}: {"; ".join(parts)}.'
    )


def _missing(table: ResultTable, found: Sequence[Comparison]) -> list[str]:
    """Name rows that are not compared, and those that lack seeds."""
    planned = max((len(row.runs) for row in table.rows), default=0)
    lacking = [
        f'{row.name} ({len(row.seeds)} of {planned})'
        for row in table.rows
        if len(row.seeds) < planned and not row.draws_nothing
    ]
    sentences = []
    if lacking:
        sentences.append(f'Seeds are missing: {_join(lacking)}.')
    apart = [
        row.name
        for row in table.rows
        if row.seeds
        and not row.differences
        and not (row.is_reference or row.is_random)
        and any(other.is_reference for other in table.rows)
    ]
    if apart:
        sentences.append(
            f'Not compared, for want of a shared seed or a reference: {_join(apart)}.'
        )
    return sentences


def _number(comparison: Comparison) -> str:
    text = format_difference(comparison.difference, comparison.column.digits)
    return text.rstrip('*')


def _join(texts: Sequence[str]) -> str:
    return ' and '.join(filter(None, [', '.join(texts[:-1]), texts[-1]]))
