"""From result records to tables: one per task and protocol."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from msbreg_mm.reports.published import PublishedRow, published_rows
from msbreg_mm.reports.statistics import (
    Difference,
    Summary,
    paired_difference,
    summarize,
)
from msbreg_mm.runs.record import Record, StoredRecord

_PER_SEED = 'per seed'
PER_SEED_NOTE = 'one pretraining per seed'


@dataclass(frozen=True)
class Column:
    """A metric of a table: its key in the records, its title and scale."""

    key: str
    title: str
    scale: float


@dataclass
class Row:
    """One checkpoint in one table.

    Attributes:
        name: Name of the checkpoint, with its hash where two share a name.
        records: Its records, by seed.
        summaries: Column key → mean and spread, scaled.
        differences: Column key → difference to random initialisation, scaled.
        is_random: Whether this is the random initialisation.
        notes: What a reader must know.
    """

    name: str
    records: list[StoredRecord]
    summaries: dict[str, Summary]
    differences: dict[str, Difference] = field(default_factory=dict)
    is_random: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return [stored.record.identity.seed for stored in self.records]


@dataclass
class ResultTable:
    """All rows of one task under one protocol and config.

    Attributes:
        task: Name of the task.
        protocol: Protocol label.
        config_hash: Hash of the config, equal in all rows.
        columns: Metrics.
        rows: Random initialisation first, then by name.
        published: Reference rows with the same protocol label.
    """

    task: str
    protocol: str
    config_hash: str
    columns: list[Column]
    rows: list[Row]
    published: list[PublishedRow]

    @property
    def has_baseline(self) -> bool:
        """Whether random initialisation is among the rows."""
        return any(row.is_random for row in self.rows)


def build_tables(records: Sequence[StoredRecord]) -> list[ResultTable]:
    """Group records into tables; different protocols or configs never mix.

    Args:
        records: From :func:`~msbreg_mm.runs.record.read_records`.

    Returns:
        Tables, by task and protocol.
    """
    groups: dict[tuple[str, str, str], list[StoredRecord]] = defaultdict(list)
    for stored in records:
        record = stored.record
        if not record.columns:
            continue  # of a pretraining: nothing to compare
        key = (record.task, record.protocol, record.identity.config_hash)
        groups[key].append(stored)
    return [_table(*key, groups[key]) for key in sorted(groups)]


def scaled(record: Record, column: Column) -> float | None:
    """Value of a column in a record, as tables show it; ``None`` if absent.

    COCO's evaluation writes -1 where there is no ground truth, e.g. for the AP of
    large objects.
    """
    value = record.metrics.get(column.key)
    absent = value is None or (value == -1 and column.key.startswith('coco/'))
    return None if absent or value is None else value * column.scale


def by_seed(row: Row, column: Column) -> dict[int, float]:
    """Values of a column in a row: seed → value, as tables show it."""
    values = {s.record.identity.seed: scaled(s.record, column) for s in row.records}
    return {seed: value for seed, value in values.items() if value is not None}


def _table(
    task: str, protocol: str, config_hash: str, records: list[StoredRecord]
) -> ResultTable:
    columns = [Column(*column) for column in records[0].record.columns]
    by_checkpoint: dict[tuple[str, str], list[StoredRecord]] = defaultdict(list)
    for stored in records:
        record = stored.record
        # One pretraining run per seed: files differ, but they are one row.
        sha = _PER_SEED if record.per_seed else record.identity.checkpoint_sha256
        by_checkpoint[record.checkpoint, sha].append(stored)
    names = [name for name, _ in by_checkpoint]
    rows = [
        _row(
            f'{name} ({sha[:8]})' if names.count(name) > 1 and sha else name,
            not sha,
            _newest_by_seed(group),
            columns,
        )
        for (name, sha), group in by_checkpoint.items()
    ]
    rows.sort(key=lambda row: (not row.is_random, row.name))
    baseline = next((row for row in rows if row.is_random), None)
    for row in rows:
        if baseline is not None and row is not baseline:
            row.differences = _differences(row, baseline, columns)
    return ResultTable(
        task, protocol, config_hash, columns, rows, published_rows(protocol)
    )


def _newest_by_seed(records: list[StoredRecord]) -> list[StoredRecord]:
    """Order by seed; of several pretraining runs of one seed keep the newest."""
    by_age = sorted(records, key=lambda stored: stored.record.finished)
    newest = {stored.record.identity.seed: stored for stored in by_age}
    return [newest[seed] for seed in sorted(newest)]


def _row(
    name: str, is_random: bool, records: list[StoredRecord], columns: list[Column]
) -> Row:
    notes = sorted({note for stored in records for note in stored.record.notes})
    if records[0].record.per_seed:
        notes.append(PER_SEED_NOTE)
    devices = {stored.record.device for stored in records}
    if len(devices) > 1:
        notes.append('several devices')
    row = Row(name, records, {}, is_random=is_random, notes=notes)
    for column in columns:
        if values := by_seed(row, column):
            row.summaries[column.key] = summarize(list(values.values()))
    return row


def _differences(row: Row, baseline: Row, columns: list[Column]) -> dict:
    found = {}
    for column in columns:
        pair = by_seed(row, column), by_seed(baseline, column)
        if difference := paired_difference(*pair):
            found[column.key] = difference
    return found
