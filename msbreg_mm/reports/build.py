"""From result records to tables: one per task and protocol."""

from collections import defaultdict
from collections.abc import Sequence

from msbreg_mm.reports.published import published_rows
from msbreg_mm.reports.table import ResultTable, Row, Run, fill
from msbreg_mm.runs.columns import Column, read_columns
from msbreg_mm.runs.record import DRAWS_NOTHING, StoredRecord

_PER_SEED = 'per seed'
PER_SEED_NOTE = 'one pretraining per seed'


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


def _table(
    task: str, protocol: str, config_hash: str, records: list[StoredRecord]
) -> ResultTable:
    first = records[0].record
    columns = read_columns(first.columns, first.better)
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
    random = next((row for row in rows if row.is_random), None)
    table = ResultTable(
        task, protocol, config_hash, columns, rows, published_rows(protocol)
    )
    return fill(table, lambda row: random)


def _newest_by_seed(records: list[StoredRecord]) -> list[StoredRecord]:
    """Order by seed; of several pretraining runs of one seed keep the newest."""
    by_age = sorted(records, key=lambda stored: stored.record.finished)
    newest = {stored.record.identity.seed: stored for stored in by_age}
    return [newest[seed] for seed in sorted(newest)]


def _row(
    name: str, is_random: bool, records: list[StoredRecord], columns: list[Column]
) -> Row:
    notes = sorted({note for stored in records for note in stored.record.notes})
    if DRAWS_NOTHING in notes:
        records = records[:1]  # more seeds would only repeat it
    if records[0].record.per_seed:
        notes.append(PER_SEED_NOTE)
    devices = {stored.record.device for stored in records}
    if len(devices) > 1:
        notes.append('several devices')
    runs = [
        Run(
            stored.record.identity.seed,
            {
                column.key: value
                for column in columns
                if (value := column.shown(stored.record.metrics)) is not None
            },
            [stored],
        )
        for stored in records
    ]
    return Row(name, runs, is_random=is_random, notes=notes)
