"""The one model of a table: rows of runs, their spread and their differences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msbreg_mm.reports.published import PublishedRow
from msbreg_mm.reports.statistics import (
    Difference,
    Summary,
    mark_after_holm,
    paired_difference,
    summarize,
)
from msbreg_mm.runs.columns import Column
from msbreg_mm.runs.record import DRAWS_NOTHING, Record, StoredRecord


@dataclass
class Run:
    """One seed of a row.

    Attributes:
        seed: The seed.
        values: Column key → value as tables show it; what is missing was not
            measured.
        stored: The records that the values come from.
        failure: Why numbers are missing; ``''`` if none are, or it is still to run.
        about: Further facts for JSON and CSV.
    """

    seed: int
    values: dict[str, float] = field(default_factory=dict)
    stored: list[StoredRecord] = field(default_factory=list)
    failure: str = ''
    about: dict[str, Any] = field(default_factory=dict)


@dataclass
class Row:
    """What is compared: one checkpoint or one variant.

    Attributes:
        name: Name, distinct within the table.
        runs: One per seed, by seed.
        summaries: Column key → mean and spread.
        differences: Column key → difference to the row's reference, over seeds.
        image_differences: The same over test images, where they were kept.
        reference: What it is compared with.
        is_random: Whether this is random initialisation.
        is_reference: Whether other rows are compared with it.
        notes: What a reader must know.
        texts: Column key → text of columns that are no numbers.
        about: Further facts for JSON and CSV.
    """

    name: str
    runs: Sequence[Run]
    summaries: dict[str, Summary] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)
    image_differences: dict[str, Difference] = field(default_factory=dict)
    reference: 'Row | None' = field(default=None, repr=False, compare=False)
    is_random: bool = False
    is_reference: bool = False
    notes: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """Seeds with a record, in order."""
        return [run.seed for run in self.runs if run.stored]

    @property
    def records(self) -> list[StoredRecord]:
        """Records of all runs."""
        return [stored for run in self.runs for stored in run.stored]

    @property
    def draws_nothing(self) -> bool:
        """Whether its numbers do not depend on the seed, so that one run is all."""
        return any(DRAWS_NOTHING in s.record.notes for s in self.records)

    @property
    def failures(self) -> list[Run]:
        """Runs that failed."""
        return [run for run in self.runs if run.failure]

    @property
    def diverged(self) -> int:
        """Number of runs that ended with NaN or infinity."""
        return sum('FloatingPointError' in run.failure for run in self.runs)

    def by_seed(self, key: str) -> dict[int, float]:
        """Values of a column: seed → value; NaN and infinity are left out."""
        return {
            run.seed: run.values[key]
            for run in self.runs
            if math.isfinite(run.values.get(key, math.nan))
        }


@dataclass
class ResultTable:
    """Rows that may be compared: of one task and protocol, or of one ablation.

    Attributes:
        task: Name of the task or ablation.
        protocol: Protocol label; ``''`` where records of several are joined.
        config_hash: Hash of the config, equal in all rows; ``''`` where not.
        columns: Metrics.
        rows: In the order in which they are shown.
        published: Reference rows with the same protocol label.
        noun: What a row is.
        reference: What differences are to, in words.
        description: One line.
        legend: Sentences that belong to the table's own columns.
        about: Further facts for JSON.
        notes: What could not be shown, and why.
    """

    task: str
    protocol: str
    config_hash: str
    columns: list[Column]
    rows: Sequence[Row]
    published: list[PublishedRow] = field(default_factory=list)
    noun: str = 'checkpoint'
    reference: str = 'random initialisation'
    description: str = ''
    legend: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_baseline(self) -> bool:
        """Whether random initialisation is among the rows."""
        return any(row.is_random for row in self.rows)

    @property
    def records(self) -> list[Record]:
        """Records of all runs."""
        return [stored.record for row in self.rows for stored in row.records]

    @property
    def hours(self) -> float:
        """Hours of all runs."""
        return sum(record.wall_time_s for record in self.records) / 3600

    def compares(self, column: Column) -> bool:
        """Whether differences of a column are shown."""
        return column.compared and any(column.key in r.differences for r in self.rows)

    @property
    def comparisons(self) -> list[Difference]:
        """All differences that are shown: the family that is corrected for."""
        return [
            difference
            for row in self.rows
            for column in self.columns
            if column.compared and (difference := row.differences.get(column.key))
        ]


def fill(table: ResultTable, reference_of: Callable[[Row], Row | None]) -> ResultTable:
    """Compute means, spreads and differences from the values of the runs.

    Args:
        table: Its rows have runs.
        reference_of: The row that a row is compared with.

    Returns:
        The same table.
    """
    for row in table.rows:
        for column in table.columns:
            measured = [run for run in row.runs if column.key in run.values]
            if values := row.by_seed(column.key):
                row.summaries[column.key] = summarize(list(values.values()))
            if lost := len(measured) - len(values):
                row.notes.append(
                    f'{column.title}: {lost} of {len(measured)} not finite'
                )
    for row in table.rows:
        reference = reference_of(row)
        if reference is None or reference is row:
            continue
        row.reference, reference.is_reference = reference, True
        for column in table.columns:
            pair = row.by_seed(column.key), reference.by_seed(column.key)
            if difference := paired_difference(*pair):
                row.differences[column.key] = difference
    shown = [
        (row, column.key)
        for row in table.rows
        for column in table.columns
        if column.compared and column.key in row.differences
    ]
    marked = mark_after_holm([row.differences[key] for row, key in shown])
    for (row, key), difference in zip(shown, marked, strict=True):
        row.differences[key] = difference
    return table


def best(table: ResultTable, column: Column) -> Row | None:
    """Row with the best mean of a column; ``None`` where none is better."""
    rows = [row for row in table.rows if column.key in row.summaries]
    if len(rows) < 2 or not column.better:
        return None
    sign = column.better
    return max(rows, key=lambda row: sign * row.summaries[column.key].mean)
