"""Plan, run and report a suite: what ``msbreg transfer`` and ``report`` do."""

import errno
import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.runs.record import read_damaged, read_records
from msbreg_mm.suite.dry_run import print_plan
from msbreg_mm.suite.options import (
    INTERRUPTED,
    SuiteOptions,
    make_cluster,
    make_trainer,
    print_failures,
)
from msbreg_mm.suite.plan import Job, plan_jobs
from msbreg_mm.suite.preflight import PreflightError, preflight
from msbreg_mm.suite.progress import SuiteView
from msbreg_mm.suite.runner import run_suite
from msbreg_mm.suite.tasks import resolve_tasks
from msbreg_mm.suite.trainer import Trainer
from msbreg_mm.transfer.report import write_report
from msbreg_mm.utils.errors import OptionError, OutputError


def run(options: SuiteOptions, console: Console | None = None) -> int:
    """Plan, run and report a suite.

    Args:
        options: The command line.
        console: Where to print; standard output by default.

    Returns:
        Exit code: 0, 1 if jobs failed, 130 after Ctrl-C.

    Raises:
        InputError: If checkpoints, tasks, seeds or options cannot be used, or jobs
            would fail (:class:`~msbreg_mm.suite.preflight.PreflightError`).
    """
    console = console or Console()
    if not options.checkpoints or not options.tasks:
        raise OptionError(
            'give at least one checkpoint (a file, name=file or random) and --tasks '
            '(see msbreg tasks)'
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
        print_plan(jobs, options.gpus_per_job, console)
    cluster = None if options.dry_run else make_cluster(options)
    if not options.skip_preflight:
        _look_first(jobs, trainer, options, console)
    if cluster is None:
        return 0
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
        raise OutputError(
            f'the disk of {options.work_dir} is full; free some space and call again: '
            'finished jobs are kept, begun ones go on from their last checkpoint'
        ) from error
    code = report(options.work_dir, options.pretrain_dir, console)
    return print_failures(statuses, console) or code


def _look_first(
    jobs: Sequence[Job], trainer: Trainer, options: SuiteOptions, console: Console
) -> None:
    """Refuse a suite of which jobs would fail, before the first one is started."""
    started = time.monotonic()
    with console.status('Preflight …') as status:
        found = preflight(
            jobs,
            trainer,
            options.work_dir,
            lambda what: status.update(f'Preflight: {what}'),
        )
    spent = time.monotonic() - started
    if found.problems:
        lines = '\n'.join(f'- {problem}' for problem in found.problems)
        count = len(found.problems)
        raise PreflightError(
            f'{count} problem{"s" * (count > 1)}, nothing was started '
            f'(--skip-preflight starts all the same):\n{lines}'
        )
    if found.bytes_needed:
        console.print(
            Text(
                f'Preflight: {spent:.0f} s, nothing to complain of; about '
                f'{found.bytes_needed / 1e9:.1f} GB of checkpoints will be written.',
                style='dim',
            ),
            soft_wrap=True,
        )


def report(
    work_dir: str, pretrain_dir: Sequence[str] = (), console: Console | None = None
) -> int:
    """Print the tables of a suite's folder and write its report files.

    Args:
        work_dir: Folder of the suite.
        pretrain_dir: ``name=work_dir`` or ``work_dir`` of pretraining runs.
        console: Where to print; standard output by default.

    Returns:
        Exit code 0.

    Raises:
        InputError: If the folder or a pretraining folder is not there.
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
