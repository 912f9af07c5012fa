"""Run the jobs of a suite through submitit: locally or on Slurm."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from msbreg_mm.suite.cluster import Cluster, make_executor
from msbreg_mm.suite.job import LOCK, PROCESS, JobRun, Outcome, has_result
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.trainer import Trainer
from msbreg_mm.utils.files import read_json
from msbreg_mm.utils.locks import FileLock, is_locked


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
        jobs: From :func:`~msbreg_mm.suite.plan.plan_jobs`.
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
        self.executor = make_executor(work_dir, cluster)

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
            run = JobRun(self.trainer, status.slot, self.cluster.threads_per_job)
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
    group = state.get('group') if state else None
    # 0 and 1 would be this program's own processes, or everybody's.
    if isinstance(group, int) and group > 1 and is_locked(folder / LOCK):
        with suppress(OSError, OverflowError):
            if group != os.getpgrp():
                os.killpg(group, number)


@contextmanager
def _terminable() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, and let Ctrl-C reach the jobs.

    A shell starts its background jobs with SIGINT ignored, which jobs would inherit:
    submitit's cancel, a SIGINT, would not end those that have just started.
    """

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    handlers = {signal.SIGTERM: interrupt, signal.SIGINT: signal.default_int_handler}
    try:
        previous = {
            number: signal.signal(number, handler)
            for number, handler in handlers.items()
        }
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
