"""What ``tools/transfer.py`` and ``tools/report.py`` do."""

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps

from rich.console import Console
from rich.text import Text

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.runs.record import read_damaged, read_records
from msbreg_mm.suite.cluster import Cluster, local_cluster
from msbreg_mm.suite.dry_run import print_plan
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.progress import SuiteView
from msbreg_mm.suite.runner import JobStatus, State, run_suite
from msbreg_mm.suite.tasks import CONFIG_ROOT, find_tasks, read_about, resolve_tasks
from msbreg_mm.suite.trainer import Trainer
from msbreg_mm.transfer.report import write_report
from msbreg_mm.utils.console import make_printable
from msbreg_mm.utils.locks import LockedError

INTERRUPTED = 130


@dataclass(frozen=True)
class SuiteOptions:
    """The command line of ``tools/transfer.py``; see its ``--help``."""

    checkpoints: Sequence[str]
    tasks: Sequence[str]
    seeds: Sequence[int] = (0, 1, 2)
    work_dir: str = 'work_dirs/transfer'
    dry_run: bool = False
    jobs: int | None = None
    gpus_per_job: int = 1
    cluster: str = 'local'
    slurm_options: Sequence[str] = ()
    amp: bool = False
    auto_scale_lr: bool = False
    allow_partial: bool = False
    trust: bool = False
    cfg_options: Sequence[str] = ()
    pretrain_dir: Sequence[str] = ()
    command: Sequence[str] = field(default=())


def without_traceback(function: Callable[..., int]) -> Callable[..., int]:
    """Turn the errors of bad input into one message and exit code 2."""

    @wraps(function)
    def guarded(*args: object, **kwargs: object) -> int:
        make_printable()
        try:
            return function(*args, **kwargs)
        except (OSError, ValueError, LockedError) as error:
            Console(stderr=True).print(
                Text(f'error: {error}', style='red'), soft_wrap=True
            )
            return 2

    return guarded


@without_traceback
def run(options: SuiteOptions, console: Console | None = None) -> int:
    """Plan, run and report a suite.

    Args:
        options: The command line.
        console: Where to print; standard output by default.

    Returns:
        Exit code: 0, 1 if jobs failed, 2 for bad input, 130 after Ctrl-C.
    """
    console = console or Console()
    if not options.checkpoints or not options.tasks:
        raise ValueError(
            'give at least one checkpoint (a file, name=file or random) and --tasks '
            '(see --list-tasks)'
        )
    trainer = make_trainer(options)
    tasks = resolve_tasks(options.tasks)
    jobs = plan_jobs(
        tasks,
        parse_checkpoints(options.checkpoints),
        options.seeds,
        options.work_dir,
        options.cfg_options,
        trainer.settings,
        processes=max(options.gpus_per_job, 1),
    )
    if options.dry_run:
        return print_plan(jobs, options.gpus_per_job, console)
    cluster = make_cluster(options)
    try:
        with SuiteView(console) as view:
            statuses = run_suite(jobs, options.work_dir, trainer, cluster, view)
    except KeyboardInterrupt:
        console.print(
            Text('Stopped. The same command goes on from here.', style='yellow')
        )
        return INTERRUPTED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            f'the disk of {options.work_dir} is full; free some space and call again: '
            'finished jobs are kept, begun ones go on from their last checkpoint'
        ) from error
    code = report(options.work_dir, options.pretrain_dir, console)
    return print_failures(statuses, console) or code


@without_traceback
def report(
    work_dir: str, pretrain_dir: Sequence[str] = (), console: Console | None = None
) -> int:
    """Print the tables of a suite's folder and write its report files.

    Args:
        work_dir: Folder of the suite.
        pretrain_dir: ``name=work_dir`` or ``work_dir`` of pretraining runs.
        console: Where to print; standard output by default.

    Returns:
        Exit code: 0, or 2 for bad input.
    """
    console = console or Console()
    tables = build_tables(read_records(work_dir))
    # Files first: a terminal may not be able to show everything.
    written = write_report(work_dir, pretrain_dir) if tables else None
    print_tables(tables, console)
    for folder, reason in read_damaged(work_dir).items():
        text = f'damaged record: {folder}: {reason}'
        console.print(Text(text, style='yellow'), soft_wrap=True)
    if written is None:
        console.print(Text(f'No finished job in {work_dir} yet.', style='yellow'))
        return 0
    console.print(Text(f'Report: {written}', style='bold'), soft_wrap=True)
    return 0


@without_traceback
def list_tasks(console: Console | None = None) -> int:
    """Print the shipped tasks with protocol and description, by folder."""
    console = console or Console()
    folder = ''
    for file in sorted(find_tasks()):
        if (name := str(file.parent.relative_to(CONFIG_ROOT))) != folder:
            folder = name
            console.print(Text(f'configs/{folder}', style='dim'))
        about = read_about(file)
        console.print(Text(f'  {file.stem}', style='bold'), soft_wrap=True)
        for key in ('protocol', 'description'):
            if text := about.get(key):
                console.print(Text(f'      {text}'), soft_wrap=True)
    return 0


def make_trainer(options: SuiteOptions) -> Trainer:
    """Describe the trainer that the command line asks for."""
    settings = [
        flag
        for flag, given in (
            ('--amp', options.amp),
            ('--auto-scale-lr', options.auto_scale_lr),
        )
        if given
    ]
    flags = [
        flag
        for flag, given in (
            ('--allow-partial', options.allow_partial),
            ('--trust', options.trust),
        )
        if given
    ]
    return Trainer(
        command=tuple(options.command),
        settings=tuple(settings),
        flags=tuple(flags),
        cfg_options=tuple(options.cfg_options),
        gpus_per_job=options.gpus_per_job,
    )


def make_cluster(options: SuiteOptions) -> Cluster:
    """Describe the cluster that the command line asks for.

    Raises:
        ValueError: If a Slurm option is malformed.
    """
    if options.cluster == 'local':
        return local_cluster(options.gpus_per_job, options.jobs)
    parameters: dict[str, object] = {'gpus_per_node': max(options.gpus_per_job, 0)}
    for argument in options.slurm_options:
        key, separator, value = argument.partition('=')
        if not separator:
            raise ValueError(f'--slurm-options takes key=value, got {argument!r}')
        parameters[key] = int(value) if value.isdigit() else value
    return Cluster('slurm', parameters=parameters)


def _count(jobs: int) -> str:
    return f'{jobs} job{"s" * (jobs != 1)}'


def print_failures(statuses: Sequence[JobStatus], console: Console) -> int:
    """Name the failed jobs; return the exit code, 1 if there are any."""
    failed = [status for status in statuses if status.state is State.FAILED]
    if failed:
        console.print(Text(f'{_count(len(failed))} failed:', style='bold red'))
    for status in failed:
        # Its last log lines were printed when it failed.
        first = status.reason.partition('\n')[0]
        console.print(Text(f'- {status.job.name}: {first}'), soft_wrap=True)
    return 1 if failed else 0
