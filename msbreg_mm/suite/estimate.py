"""How many device hours a suite still needs, and what that rests on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from msbreg_mm.runs.log import read_log
from msbreg_mm.runs.record import read_record
from msbreg_mm.suite.job import has_result
from msbreg_mm.suite.plan import Job

FINISHED = 'finished runs here'
BEGUN = 'begun runs here'


@dataclass(frozen=True)
class Estimate:
    """Device hours of one job.

    Attributes:
        hours: Device hours, training and validation.
        basis: Where the figure comes from.
    """

    hours: float
    basis: str


def estimate(jobs: Sequence[Job], devices: int = 1) -> dict[str, Estimate]:
    """Estimate one job of each task.

    The best of what is known counts: the mean time of the task's finished runs in
    this folder, else the steps of a run that has begun, else what the config states
    with its source (``transfer.gpu_seconds``), training only.

    Args:
        jobs: All jobs of a suite.
        devices: Devices that a job uses at once.

    Returns:
        Task → estimate; tasks of which nothing is known are left out.
    """
    found = {}
    for name in dict.fromkeys(job.task.name for job in jobs):
        own = [job for job in jobs if job.task.name == name]
        if hours := _finished(own) or _begun(own):
            found[name] = Estimate(hours[0] * max(devices, 1), hours[1])
        elif stated := own[0].task.gpu_seconds:
            seconds, source = stated
            hours_stated = seconds * own[0].task.schedule.total / 3600
            found[name] = Estimate(hours_stated, source)
    return found


def _finished(jobs: Iterable[Job]) -> tuple[float, str] | None:
    records = [read_record(job.folder) for job in jobs if has_result(job)]
    hours = [record.wall_time_s / 3600 for record in records if record]
    return (mean(hours), FINISHED) if hours else None


def _begun(jobs: Iterable[Job]) -> tuple[float, str] | None:
    hours = [x for job in jobs if (x := _hours_by_steps(job.folder, job)) is not None]
    return (mean(hours), BEGUN) if hours else None


def _hours_by_steps(folder: Path, job: Job) -> float | None:
    """Extend the mean time of the logged steps to the whole schedule."""
    schedule = job.task.schedule
    log = read_log(folder, schedule.unit == 'iter')
    times = [line['time'] for line in log.train if 'time' in line]
    position = log.position(schedule)
    if not times or position <= 0:
        return None
    steps = float(log.train[-1].get('iter', 0)) * schedule.total / position
    return mean(times) * steps / 3600
