"""What ``--dry-run`` prints: jobs, schedules, states and device hours."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.reports.cells import format_device_time
from msbreg_mm.suite.estimate import Estimate, estimate
from msbreg_mm.suite.job import has_result
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.runner import State


def print_plan(jobs: Sequence[Job], devices: int, console: Console) -> int:
    """List jobs with schedule, state and hours; nothing is started.

    Args:
        jobs: All jobs of a suite.
        devices: Devices that a job uses at once.
        console: Where to print.

    Returns:
        Exit code 0.
    """
    estimates = estimate(jobs, devices)
    for name in dict.fromkeys(job.task.name for job in jobs):
        _print_task([job for job in jobs if job.task.name == name], estimates, console)
    missing = [job for job in jobs if not has_result(job)]
    word = f'job{"s" * (len(jobs) != 1)}'
    console.print(f'{len(jobs)} {word}, {len(missing)} to run.')
    for line in _sums(missing, estimates):
        console.print(Text(line), soft_wrap=True)
    return 0


def _print_task(
    jobs: Sequence[Job], estimates: dict[str, Estimate], console: Console
) -> None:
    task = jobs[0].task
    known = estimates.get(task.name)
    schedules = {str(job.task.schedule) for job in jobs}
    differ = len(schedules) > 1  # then they stand beside the checkpoints
    facts = [] if differ else [*schedules]
    facts += [f'{format_device_time(known.hours)} each'] if known else []
    console.print(Text(task.name, style='bold'), soft_wrap=True)
    if facts:
        console.print(Text(f'  {", ".join(facts)}', style='dim'), soft_wrap=True)
    table = Table(box=None, header_style='dim', pad_edge=False)
    titles = ['  checkpoint', State.CACHED.value, State.PENDING.value]
    for title in (*titles, *(['schedule'] if differ else []), 'folder'):
        table.add_column(title, overflow='fold')
    for checkpoint in dict.fromkeys(job.checkpoint.name for job in jobs):
        own = [job for job in jobs if job.checkpoint.name == checkpoint]
        cells = [f'  {checkpoint}']
        for done in (True, False):
            seeds = [job.identity.seed for job in own if has_result(job) is done]
            cells.append(' '.join(map(str, seeds)))
        cells += [str(own[0].task.schedule)] if differ else []
        folders = dict.fromkeys(job.folder.parent.name for job in own)
        table.add_row(*cells, ', '.join(folders))
    console.print(table)


def _sums(missing: Sequence[Job], estimates: dict[str, Estimate]) -> list[str]:
    """Say how many device hours are left, and by what."""
    hours: dict[str, float] = {}
    for job in missing:
        if known := estimates.get(job.task.name):
            hours[known.basis] = hours.get(known.basis, 0) + known.hours
    lines = [
        f'About {format_device_time(total)} by {basis}.'
        for basis, total in hours.items()
    ]
    names = dict.fromkeys(job.task.name for job in missing)
    if unknown := [name for name in names if name not in estimates]:
        lines.append(
            f'No estimate for {", ".join(unknown)} before a first run has begun.'
        )
    return lines
