"""From finished runs to one row per variant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msbreg_mm.ablation.curves import EFFECTIVE_RANK, ended_collapsed
from msbreg_mm.ablation.plan import PretrainingRun
from msbreg_mm.ablation.spec import Ablation, Variant
from msbreg_mm.reports.table import ResultTable, Row, Run, fill
from msbreg_mm.runs.columns import Column, read_columns
from msbreg_mm.runs.log import Log, read_log
from msbreg_mm.runs.record import StoredRecord, read_failure, read_record
from msbreg_mm.suite.plan import Job

# Keys of the columns that come last.
COLLAPSED, TIME = 'collapsed', 'pretraining_min'
_LEGEND = (
    'Collapsed are runs with collapsed readings in the last tenth of their training.'
)
_OF_PRETRAINING = (
    Column(EFFECTIVE_RANK, 'effective rank, embeddings', 1.0, better=0, compared=False),
    Column(COLLAPSED, 'collapsed', 1.0, better=0, compared=False),
    Column(TIME, 'pretraining', 1.0, better=0, unit='min', compared=False),
)


@dataclass
class RunResult(Run):
    """What one variant gave with one seed.

    Attributes:
        run: The run.
        collapsed: Whether its training ended with collapsed embeddings; ``None``
            if nothing watched them.
        log: Log of its pretraining.
    """

    run: PretrainingRun = field(kw_only=True)
    collapsed: bool | None = None
    log: Log = field(default_factory=Log)


@dataclass
class VariantRow(Row):
    """One variant.

    Attributes:
        variant: The variant.
        runs: One per seed.
    """

    variant: Variant = field(kw_only=True)
    runs: Sequence[RunResult]

    @property
    def collapsed(self) -> tuple[int, int] | None:
        """``(collapsed runs, watched runs)``; ``None`` if none was watched."""
        watched = [r.collapsed for r in self.runs if r.collapsed is not None]
        return (sum(watched), len(watched)) if watched else None


@dataclass
class Results(ResultTable):
    """All numbers of an ablation.

    Attributes:
        ablation: What was run.
        rows: One per variant, in the ablation's order.
    """

    ablation: Ablation = field(kw_only=True)
    rows: Sequence[VariantRow]

    def reference_of(self, row: VariantRow) -> VariantRow | None:
        """Row that a row is compared with; ``None`` for references themselves.

        The reference is one variant, or a level of the last factor: then each row
        is compared with the one that has this level and its own other levels.
        """
        name, levels = self.ablation.reference, row.variant.levels
        wanted = {r.variant.name: r for r in self.rows}.get(name)
        if wanted is None and levels:
            wanted = next((r for r in self.rows if self._is_reference(r, levels)), None)
        return None if wanted is row else wanted

    def _is_reference(self, row: VariantRow, levels: Mapping[str, Any]) -> bool:
        last = self.ablation.factors[-1]
        wanted = {**levels, last: self.ablation.reference}
        return {k: str(v) for k, v in row.variant.levels.items()} == {
            k: str(v) for k, v in wanted.items()
        }

    @property
    def has_one_reference(self) -> bool:
        """Whether all rows are compared with one variant."""
        return self.ablation.reference in {row.variant.name for row in self.rows}


def collect(
    ablation: Ablation, runs: Sequence[PretrainingRun], evaluation: Sequence[Job]
) -> Results:
    """Read everything that the runs have left.

    Args:
        ablation: What was run.
        runs: From :func:`~msbreg_mm.ablation.plan.plan_pretraining`.
        evaluation: From :func:`~msbreg_mm.ablation.plan.plan_evaluation`.
    """
    jobs: dict[tuple[str, int], list[Job]] = {}
    for job in evaluation:
        jobs.setdefault((job.checkpoint.name, job.identity.seed), []).append(job)
    found = [
        (_pretraining(run), jobs.get((run.variant.name, run.seed), [])) for run in runs
    ]
    several = len({job.task.name for job in evaluation}) > 1
    columns: dict[str, Column] = {}
    for result, own in found:
        for job in own:
            _add_task(result, job, columns, several)
    rows = [
        _row(variant, [r for r, _ in found if r.run.variant.name == variant.name])
        for variant in ablation.variants
    ]
    results = Results(
        ablation.name,
        '',
        '',
        [*columns.values(), *_pretraining_columns(rows)],
        rows,
        noun='variant',
        description=ablation.description,
        legend=(_LEGEND,) if any(row.collapsed for row in rows) else (),
        about={'ablation': ablation.name, 'factors': list(ablation.factors)},
        ablation=ablation,
    )
    same = '' if results.has_one_reference else ' at equal other factors'
    results.reference = f'{ablation.reference!r}{same}'
    fill(results, results.reference_of)  # type: ignore[arg-type]
    return results


def _row(variant: Variant, runs: list[RunResult]) -> VariantRow:
    row = VariantRow(
        variant.name,
        runs,
        is_random=variant.base is None,
        about={
            'base': str(variant.base) if variant.base else None,
            'changes': dict(variant.changes),
            'levels': dict(variant.levels),
        },
        variant=variant,
    )
    if found := row.collapsed:
        row.texts[COLLAPSED] = f'{found[0]} of {found[1]}'
    return row


def _pretraining(run: PretrainingRun) -> RunResult:
    result = RunResult(run.seed, about={'collapsed': None, 'folders': []}, run=run)
    if run.job is None:
        return result
    result.about['folders'] = [str(run.job.folder)]
    result.failure = read_failure(run.job.folder) or ''
    record = read_record(run.job.folder)
    if record is None or record.identity != run.job.identity:
        return result
    result.log = read_log(run.job.folder, run.job.task.schedule.unit == 'iter')
    result.stored.append(StoredRecord(record, run.job.folder))
    result.values[TIME] = record.wall_time_s / 60
    if EFFECTIVE_RANK in record.metrics:
        result.values[EFFECTIVE_RANK] = record.metrics[EFFECTIVE_RANK]
        result.about['collapsed'] = result.collapsed = ended_collapsed(result.log)
    return result


def _add_task(
    result: RunResult, job: Job, columns: dict[str, Column], several: bool
) -> None:
    record = read_record(job.folder)
    if record is None or record.identity != job.identity:
        reason = read_failure(job.folder)
        result.failure = result.failure or (
            f'{job.task.name}: {reason}' if reason else ''
        )
        return
    result.stored.append(StoredRecord(record, job.folder))
    for index, column in enumerate(read_columns(record.columns, record.better)):
        if (value := column.shown(record.metrics)) is None:
            continue
        title = f'{job.task.name}: {column.title}' if several else column.title
        own = replace(
            column,
            key=f'{job.task.name}/{column.key}',
            title=title,
            compared=index == 0,
        )
        columns.setdefault(own.key, own)
        result.values[own.key] = value


def _pretraining_columns(rows: Iterable[VariantRow]) -> list[Column]:
    present = {key for row in rows for result in row.runs for key in result.values}
    present |= {key for row in rows for key in row.texts}
    return [column for column in _OF_PRETRAINING if column.key in present]
