"""Plan, run and report an ablation: what ``msbreg ablate`` does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from msbreg_mm.ablation.plan import PretrainingRun, plan_evaluation, plan_pretraining
from msbreg_mm.ablation.report import write_report
from msbreg_mm.ablation.results import collect
from msbreg_mm.ablation.spec import Ablation, load_ablation
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.suite.cluster import Cluster
from msbreg_mm.suite.dry_run import print_plan
from msbreg_mm.suite.options import (
    INTERRUPTED,
    SuiteOptions,
    make_cluster,
    make_trainer,
    print_failures,
)
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.progress import SuiteView
from msbreg_mm.suite.runner import JobStatus, run_suite
from msbreg_mm.suite.tasks import Task, resolve_tasks
from msbreg_mm.suite.trainer import Trainer


@dataclass(frozen=True)
class AblateOptions:
    """The flags of ``msbreg ablate``; see its ``--help``."""

    config: str
    variants: Sequence[str] = ()
    seeds: Sequence[int] = ()
    work_dir: str | None = None
    dry_run: bool = False
    report_only: bool = False
    jobs: int | None = None
    gpus_per_job: int = 1
    cluster: str = 'local'
    slurm_options: Sequence[str] = ()
    amp: bool = False
    auto_scale_lr: bool = False
    cfg_options: Sequence[str] = ()
    task_options: Sequence[str] = ()
    command: Sequence[str] = field(default=())

    @property
    def processes(self) -> int:
        """Processes that train a job."""
        return max(self.gpus_per_job, 1)

    def suite(self, *, pretraining: bool) -> SuiteOptions:
        """Options of the transfer suite for one of the two stages."""
        return SuiteOptions(
            checkpoints=(),
            tasks=(),
            jobs=self.jobs,
            gpus_per_job=self.gpus_per_job,
            cluster=self.cluster,
            slurm_options=self.slurm_options,
            amp=self.amp and pretraining,
            auto_scale_lr=self.auto_scale_lr and pretraining,
            cfg_options=self.cfg_options if pretraining else self.task_options,
            command=self.command,
        )


def run(options: AblateOptions, console: Console | None = None) -> int:
    """Plan, run and report an ablation.

    Args:
        options: The command line.
        console: Where to print; standard output by default.

    Returns:
        Exit code: 0, 1 if runs failed, 130 after Ctrl-C.

    Raises:
        InputError: If the ablation, a task or an option cannot be used.
    """
    console = console or Console()
    ablation = load_ablation(options.config).select(options.variants, options.seeds)
    tasks = resolve_tasks(ablation.tasks)
    work_dir = Path(options.work_dir or Path('work_dirs', 'ablations', ablation.name))
    if options.dry_run:
        with TemporaryDirectory() as configs:
            runs = _plan(ablation, work_dir, options, configs)
            jobs = _jobs(runs, tasks, work_dir, options)
            return print_plan(jobs, options.gpus_per_job, console)
    runs = _plan(ablation, work_dir, options)
    if not options.report_only:
        # Errors of the tasks now, not after the pretraining.
        _jobs(runs, tasks, work_dir, options)
    statuses: list[JobStatus] = []
    if not options.report_only:
        cluster = make_cluster(options.suite(pretraining=True))
        stages = _Stages(work_dir, options, cluster, console)
        try:
            statuses += stages.pretrain([run.job for run in runs if run.job])
            statuses += stages.evaluate(_evaluation(runs, tasks, work_dir, options))
        except KeyboardInterrupt:
            console.print(
                Text('Stopped. The same command goes on from here.', style='yellow')
            )
            return INTERRUPTED
    results = collect(ablation, runs, _evaluation(runs, tasks, work_dir, options))
    # Files first: a terminal may not be able to show everything.
    page = write_report(results, work_dir)
    print_tables([results], console)
    console.print(Text(f'Report: {page}', style='bold'), soft_wrap=True)
    return print_failures(statuses, console)


class _Stages:
    """The two calls of the suite: first all pretraining, then all evaluation."""

    def __init__(
        self, work_dir: Path, options: AblateOptions, cluster: Cluster, console: Console
    ) -> None:
        self.work_dir, self.options = work_dir, options
        self.cluster, self.console = cluster, console

    def pretrain(self, jobs: Sequence[Job]) -> list[JobStatus]:
        return self._run(jobs, make_trainer(self.options.suite(pretraining=True)))

    def evaluate(self, jobs: Sequence[Job]) -> list[JobStatus]:
        return self._run(jobs, make_trainer(self.options.suite(pretraining=False)))

    def _run(self, jobs: Sequence[Job], trainer: Trainer) -> list[JobStatus]:
        if not jobs:
            return []
        with SuiteView(self.console) as view:
            return run_suite(jobs, self.work_dir, trainer, self.cluster, view)


def _plan(
    ablation: Ablation,
    work_dir: Path,
    options: AblateOptions,
    configs: str | None = None,
) -> list[PretrainingRun]:
    settings = make_trainer(options.suite(pretraining=True)).settings
    return plan_pretraining(
        ablation,
        work_dir,
        options.cfg_options,
        settings,
        configs,
        processes=options.processes,
    )


def _evaluation(
    runs: Sequence[PretrainingRun],
    tasks: Sequence[Task],
    work_dir: Path,
    options: AblateOptions,
) -> list[Job]:
    return plan_evaluation(
        tasks, runs, work_dir, options.task_options, processes=options.processes
    )


def _jobs(
    runs: Sequence[PretrainingRun],
    tasks: Sequence[Task],
    work_dir: Path,
    options: AblateOptions,
) -> list[Job]:
    """List all jobs of both stages, also those that cannot start yet."""
    evaluation = plan_evaluation(
        tasks, runs, work_dir, options.task_options, True, options.processes
    )
    return [*(run.job for run in runs if run.job), *evaluation]
