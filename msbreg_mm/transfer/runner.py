"""Run the jobs of a suite through submitit: locally or on Slurm."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import submitit

from msbreg_mm.transfer.job import LOCK, PROCESS, JobRun, Outcome, has_result
from msbreg_mm.transfer.locks import FileLock, is_locked
from msbreg_mm.transfer.plan import Job
from msbreg_mm.transfer.store import read_json
from msbreg_mm.transfer.trainer import Trainer

# The local executor wants a time limit; a suite has none.
_NO_LIMIT_MIN = 60 * 24 * 365


class State(Enum):
    """Where a job stands; the values are shown."""

    PENDING = 'waiting'
    RUNNING = 'running'
    ELSEWHERE = 'runs elsewhere'
    CACHED = 'done before'
    DONE = 'done'
    FAILED = 'failed'
    STOPPED = 'stopped'

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (State.CACHED, State.DONE, State.FAILED, State.STOPPED)


@dataclass
class JobStatus:
    """A job and what became of it.

    Attributes:
        job: The job.
        state: Where it stands.
        reason: Why it failed.
        started: When it started, ``time.monotonic()``.
        ended: When it ended.
    """

    job: Job
    state: State = State.PENDING
    reason: str = ''
    started: float = 0.0
    ended: float = 0.0
    handle: Any = field(default=None, repr=False)
    slot: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Cluster:
    """Where jobs run.

    Attributes:
        kind: ``'local'`` or ``'slurm'``.
        slots: For local runs, the GPUs of each job that runs at once; an empty
            tuple is a job on the CPU.
        parameters: For Slurm, what ``submitit.SlurmExecutor`` takes, e.g.
            ``partition`` and ``time`` in minutes.
    """

    kind: str = 'local'
    slots: tuple[tuple[str, ...], ...] = ((),)
    parameters: Mapping[str, Any] = field(default_factory=dict)


def local_cluster(gpus_per_job: int = 1, jobs: int | None = None) -> Cluster:
    """Describe this machine: as many jobs at once as the visible GPUs allow.

    Args:
        gpus_per_job: GPUs of one job; 0 runs on the CPU.
        jobs: Most jobs at once; by default all that the GPUs allow, or one on
            the CPU.

    Raises:
        ValueError: If there are fewer GPUs than one job needs.
    """
    ids = _visible_gpus() if gpus_per_job else []
    if not ids:
        return Cluster(slots=((),) * (jobs or 1))
    if len(ids) < gpus_per_job:
        raise ValueError(f'a job needs {gpus_per_job} GPUs, {len(ids)} are visible')
    starts = range(0, len(ids) - gpus_per_job + 1, gpus_per_job)
    slots = tuple(tuple(ids[start : start + gpus_per_job]) for start in starts)
    return Cluster(slots=slots[: jobs or len(slots)])


def run_suite(
    jobs: Sequence[Job],
    work_dir: str | Path,
    trainer: Trainer | None = None,
    cluster: Cluster | None = None,
    watch: Callable[[Sequence[JobStatus]], None] = lambda statuses: None,
    poll: float = 0.5,
) -> list[JobStatus]:
    """Run what is missing and wait for it.

    Args:
        jobs: From :func:`~msbreg_mm.transfer.plan.plan_jobs`.
        work_dir: Folder of the suite; one suite at a time uses it.
        trainer: Program and flags.
        cluster: Where jobs run; one after the other on the CPU by default.
        watch: Called with all statuses after every poll.
        poll: Seconds between two looks at the jobs.

    Returns:
        One status per job; failed jobs have their reason.

    Raises:
        LockedError: If another suite uses the folder.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; all trainers have ended and a
            second call goes on.
    """
    work_dir = Path(work_dir)
    with FileLock(work_dir / LOCK, f'the suite in {work_dir}'), _terminable():
        suite = _Suite(jobs, work_dir, trainer or Trainer(), cluster or Cluster())
        try:
            while not all(status.state.over for status in suite.statuses):
                suite.step()
                watch(suite.statuses)
                time.sleep(0 if suite.finished else poll)
        except BaseException:
            suite.stop()
            watch(suite.statuses)
            raise
        watch(suite.statuses)
        return suite.statuses


class _Suite:
    """The statuses, the free slots and the executor of one call."""

    def __init__(
        self, jobs: Sequence[Job], work_dir: Path, trainer: Trainer, cluster: Cluster
    ) -> None:
        self.statuses = [JobStatus(job) for job in jobs]
        self.trainer, self.cluster = trainer, cluster
        self.free: list[Any] = list(cluster.slots)
        if cluster.kind == 'slurm':
            self.free = [None] * len(jobs)  # Slurm has its own queue
        self.executor = _executor(work_dir, cluster)

    @property
    def finished(self) -> bool:
        return all(status.state.over for status in self.statuses)

    def step(self) -> None:
        for status in self.statuses:
            if status.state in (State.PENDING, State.ELSEWHERE):
                self._start(status)
            elif status.state is State.RUNNING and status.handle.done():
                self._collect(status)

    def _start(self, status: JobStatus) -> None:
        job = status.job
        if has_result(job):
            before = status.state is State.PENDING
            status.state = State.CACHED if before else State.DONE
        elif is_locked(job.folder / LOCK):
            # Left over by a suite that was killed; its result will do.
            status.state = State.ELSEWHERE
        elif self.free:
            status.slot = self.free.pop(0)
            job.folder.mkdir(parents=True, exist_ok=True)
            run = JobRun(self.trainer, status.slot)
            status.handle = self.executor.submit(run, job)
            status.state, status.started = State.RUNNING, time.monotonic()

    def _collect(self, status: JobStatus) -> None:
        outcome = _outcome(status)
        status.state = State.DONE if outcome.ok else State.FAILED
        status.reason, status.ended = outcome.reason, time.monotonic()
        self.free.append(status.slot)

    def stop(self) -> None:
        """End all trainers; what they have saved stays resumable."""
        running = [s for s in self.statuses if s.state is State.RUNNING]
        for status in running:
            _stop_trainer(status.job.folder, signal.SIGTERM)
            with suppress(Exception):  # the cluster may not answer
                status.handle.cancel()
        deadline = time.monotonic() + 10
        for status in running if self.cluster.kind == 'local' else ():
            lock = status.job.folder / LOCK
            while is_locked(lock) and time.monotonic() < deadline:
                time.sleep(0.05)
            _stop_trainer(status.job.folder, signal.SIGKILL)
        for status in self.statuses:
            if not status.state.over:
                status.state, status.ended = State.STOPPED, time.monotonic()


def _executor(work_dir: Path, cluster: Cluster) -> submitit.Executor:
    folder = work_dir / '.submitit'
    if cluster.kind == 'local':
        executor = submitit.LocalExecutor(folder=folder)
        executor.update_parameters(timeout_min=_NO_LIMIT_MIN)
        return executor
    if cluster.kind == 'slurm':
        slurm = submitit.SlurmExecutor(folder=folder)
        slurm.update_parameters(**{'job_name': 'transfer', **cluster.parameters})
        return slurm
    raise ValueError(f"cluster must be 'local' or 'slurm', got {cluster.kind!r}")


def _outcome(status: JobStatus) -> Outcome:
    try:
        return status.handle.result()
    except Exception as error:
        if has_result(status.job):
            return Outcome(True)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Outcome(False, 'the job ended without a result: ' + '\n'.join(lines))


def _stop_trainer(folder: Path, number: signal.Signals) -> None:
    state = read_json(folder / PROCESS)
    # The lock says that the number still belongs to this job.
    if state and is_locked(folder / LOCK):
        with suppress(OSError):
            os.killpg(int(state['group']), number)


def _visible_gpus() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        return [str(index) for index in range(torch.cuda.device_count())]
    return [part.strip() for part in visible.split(',') if part.strip()]


@contextmanager
def _terminable() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
