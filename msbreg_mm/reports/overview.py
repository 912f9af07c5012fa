"""What joins the rows of tables: all tasks at a glance, differences of two rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from msbreg_mm.reports.statistics import (
    Difference,
    Summary,
    mark_after_holm,
    paired_difference,
)
from msbreg_mm.reports.table import ResultTable, Row
from msbreg_mm.runs.columns import Column


@dataclass(frozen=True)
class Overview:
    """The first metric of every table, one column each.

    Attributes:
        columns: ``(task, metric title, protocol)``; tables of one task under two
            protocols are two columns.
        rows: Checkpoint → one summary per column, ``None`` where it was not run.
    """

    columns: list[tuple[str, str, str]]
    rows: dict[str, list[Summary | None]]


def build_overview(tables: Sequence[ResultTable]) -> Overview:
    """Put the first metric of all tables side by side.

    Args:
        tables: From :func:`~msbreg_mm.reports.build.build_tables`.

    Returns:
        The overview; random initialisation first, then in the tables' order.
    """
    rows = [row for table in tables for row in table.rows]
    rows.sort(key=lambda row: not row.is_random)
    found: dict[str, list[Summary | None]] = {
        row.name: [None] * len(tables) for row in rows
    }
    for index, table in enumerate(tables):
        for row in table.rows:
            found[row.name][index] = row.summaries.get(table.columns[0].key)
    columns = [(t.task, t.columns[0].title, t.protocol) for t in tables]
    return Overview(columns, found)


@dataclass(frozen=True)
class Pair:
    """Two checkpoints of a table and how they differ, metric by metric.

    Attributes:
        names: The first minus the second.
        differences: One per column of the table; ``None`` without shared seeds.
    """

    names: tuple[str, str]
    differences: list[Difference | None]


def build_pairs(table: ResultTable) -> list[Pair]:
    """Compare all rows but random initialisation with each other.

    Args:
        table: The table; its own Δ columns compare with random initialisation.

    Returns:
        One pair for every two rows; the row with the better mean of the first
        metric stands first. They are corrected for their number.
    """
    rows = [row for row in table.rows if not row.is_random]
    first = table.columns[0]
    rows.sort(key=lambda row: -_merit(row, first))
    pairs = [
        Pair(
            (a.name, b.name),
            [
                paired_difference(a.by_seed(column.key), b.by_seed(column.key))
                for column in table.columns
            ],
        )
        for a, b in combinations(rows, 2)
    ]
    found = [d for pair in pairs for d in pair.differences if d is not None]
    marked = iter(mark_after_holm(found))
    return [
        Pair(pair.names, [d and next(marked) for d in pair.differences])
        for pair in pairs
    ]


def _merit(row: Row, column: Column) -> float:
    summary = row.summaries.get(column.key)
    return (column.better or 1) * summary.mean if summary else float('-inf')
