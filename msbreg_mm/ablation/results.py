"""From finished runs to one row per variant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msbreg_mm.ablation.curves import EFFECTIVE_RANK, ended_collapsed
from msbreg_mm.ablation.plan import PretrainingRun
from msbreg_mm.ablation.spec import Ablation, Variant
from msbreg_mm.reports.statistics import (
    Difference,
    Summary,
    paired_difference,
    summarize,
)
from msbreg_mm.runs.log import Log, read_log
from msbreg_mm.runs.record import Record, read_failure, read_record
from msbreg_mm.suite.plan import Job

# Key of the column that comes last.
TIME = 'pretraining_min'


@dataclass(frozen=True)
class Column:
    """A number of every run.

    Attributes:
        key: Name, distinct within the table.
        title: Title.
        digits: Digits after the point.
        better: 1 if more is better, -1 if less is, 0 if neither.
        headline: Whether it is the first metric of a task.
    """

    key: str
    title: str
    digits: int = 1
    better: int = 1
    headline: bool = False


@dataclass
class RunResult:
    """What one variant gave with one seed.

    Attributes:
        run: The run.
        values: Column key → value; what is missing was not measured.
        collapsed: Whether its training ended with collapsed embeddings; ``None``
            if nothing watched them.
        failure: Why it has no numbers; ``''`` if it has, or is still to run.
        log: Log of its pretraining.
        records: Its records: pretraining, then tasks.
    """

    run: PretrainingRun
    values: dict[str, float] = field(default_factory=dict)
    collapsed: bool | None = None
    failure: str = ''
    log: Log = field(default_factory=Log)
    records: list[Record] = field(default_factory=list)


@dataclass
class Row:
    """One variant.

    Attributes:
        variant: The variant.
        runs: One per seed.
        summaries: Column key → mean and spread.
        differences: Column key → difference to the reference.
    """

    variant: Variant
    runs: list[RunResult]
    summaries: dict[str, Summary] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)

    def by_seed(self, key: str) -> dict[int, float]:
        """Values of a column: seed → value."""
        return {r.run.seed: r.values[key] for r in self.runs if key in r.values}

    @property
    def seeds(self) -> list[int]:
        """Seeds with numbers."""
        return [result.run.seed for result in self.runs if result.values]

    @property
    def failures(self) -> list[RunResult]:
        """Runs that failed."""
        return [result for result in self.runs if result.failure]

    @property
    def diverged(self) -> int:
        """Number of runs that ended with NaN or infinity."""
        return sum('FloatingPointError' in r.failure for r in self.runs)

    @property
    def collapsed(self) -> tuple[int, int] | None:
        """``(collapsed runs, watched runs)``; ``None`` if none was watched."""
        watched = [r.collapsed for r in self.runs if r.collapsed is not None]
        return (sum(watched), len(watched)) if watched else None


@dataclass
class Results:
    """All numbers of an ablation.

    Attributes:
        ablation: What was run.
        columns: Metrics of the tasks first.
        rows: One per variant, in the ablation's order.
        num_task_columns: How many columns are metrics of the tasks.
    """

    ablation: Ablation
    columns: list[Column]
    rows: list[Row]
    num_task_columns: int = 0

    def reference_of(self, row: Row) -> Row | None:
        """Row that a row is compared with; ``None`` for references themselves.

        The reference is one variant, or a level of the last factor: then each row
        is compared with the one that has this level and its own other levels.
        """
        name, levels = self.ablation.reference, row.variant.levels
        wanted = {r.variant.name: r for r in self.rows}.get(name)
        if wanted is None and levels:
            wanted = next((r for r in self.rows if self._is_reference(r, levels)), None)
        return None if wanted is row else wanted

    def _is_reference(self, row: Row, levels: Mapping[str, Any]) -> bool:
        last = self.ablation.factors[-1]
        wanted = {**levels, last: self.ablation.reference}
        return {k: str(v) for k, v in row.variant.levels.items()} == {
            k: str(v) for k, v in wanted.items()
        }

    @property
    def has_one_reference(self) -> bool:
        """Whether all rows are compared with one variant."""
        return self.ablation.reference in {row.variant.name for row in self.rows}

    @property
    def records(self) -> list[Record]:
        """Records of all runs."""
        return [x for row in self.rows for run in row.runs for x in run.records]


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
    task_columns = list(columns.values())
    rows = [
        Row(variant, [r for r, _ in found if r.run.variant.name == variant.name])
        for variant in ablation.variants
    ]
    results = Results(
        ablation,
        [*task_columns, *_pretraining_columns(rows)],
        rows,
        num_task_columns=len(task_columns),
    )
    _summarize(results)
    return results


def _pretraining(run: PretrainingRun) -> RunResult:
    result = RunResult(run)
    if run.job is None:
        return result
    result.failure = read_failure(run.job.folder) or ''
    record = read_record(run.job.folder)
    if record is None or record.identity != run.job.identity:
        return result
    result.log = read_log(run.job.folder, run.job.task.schedule.unit == 'iter')
    result.records.append(record)
    result.values[TIME] = record.wall_time_s / 60
    if EFFECTIVE_RANK in record.metrics:
        result.values[EFFECTIVE_RANK] = record.metrics[EFFECTIVE_RANK]
        result.collapsed = ended_collapsed(result.log)
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
    result.records.append(record)
    for index, (name, title, scale) in enumerate(record.columns):
        key = f'{job.task.name}/{name}'
        if name in record.metrics:
            title = f'{job.task.name}: {title}' if several else title
            columns.setdefault(key, Column(key, title, headline=index == 0))
            result.values[key] = record.metrics[name] * scale


def _pretraining_columns(rows: Iterable[Row]) -> list[Column]:
    columns = [
        Column(EFFECTIVE_RANK, 'effective rank, embeddings'),
        Column(TIME, 'pretraining, min', better=0),
    ]
    present = {key for row in rows for result in row.runs for key in result.values}
    return [column for column in columns if column.key in present]


def _summarize(results: Results) -> None:
    for row in results.rows:
        for column in results.columns:
            if values := row.by_seed(column.key):
                row.summaries[column.key] = summarize(list(values.values()))
    for row in results.rows:
        if (reference := results.reference_of(row)) is None:
            continue
        for column in results.columns:
            pair = row.by_seed(column.key), reference.by_seed(column.key)
            if difference := paired_difference(*pair):
                row.differences[column.key] = difference
