"""One job: train in an own process, then write the result record."""

import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from submitit.helpers import Checkpointable

from msbreg_mm.runs.folder import FAILURE, INTERRUPTED, find_resumable
from msbreg_mm.runs.record import read_record, write_record
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.recording import make_record, read_final_log
from msbreg_mm.suite.trainer import Trainer, child_environment
from msbreg_mm.utils.errors import RESUME_CODE, InputError
from msbreg_mm.utils.files import read_json, write_json
from msbreg_mm.utils.locks import FileLock
from msbreg_mm.utils.typed import is_number

LOCK = '.lock'
LOG = 'train.log'
# Holds the trainer's process group while it runs.
PROCESS = 'process.json'
_STATE = 'job.json'
_LOG_LINES = 15
# The last line of a traceback, or what msbreg train says of bad input.
_ERROR = re.compile(r'error: |[\w.]+(Error|Exception|Interrupt)\b')
# Seconds between asking a trainer to end, which it does when it has saved, and
# ending it.
_GRACE = 60.0
# How often a trainer that asks for it is resumed, so that a signal that comes again
# and again ends at last.
_RESUMES = 20


class JobError(RuntimeError):
    """A job failed; the message holds the reason and the last log lines."""


class TrainerInterruptedError(JobError):
    """A signal has ended the trainer; what it has saved can be resumed."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        ok: Whether its record was written.
        reason: Otherwise why not.
    """

    ok: bool
    reason: str = ''


@dataclass(frozen=True)
class JobRun(Checkpointable):
    """What submitit runs; on Slurm it is requeued when it is preempted.

    Attributes:
        trainer: Program and flags.
        devices: GPUs by id, none for the CPU; ``None`` leaves it to the cluster.
        threads: CPU threads; ``None`` leaves the number to torch.
    """

    trainer: Trainer
    devices: tuple[str, ...] | None = None
    threads: int | None = None

    def __call__(self, job: Job) -> Outcome:
        """Train and record.

        Args:
            job: What to run. A valid record is left alone; a checkpoint of an
                interrupted run of the same identity is resumed.

        Returns:
            How it ended; errors are results, so that other jobs go on. A bug is
            not caught: its traceback stands in submitit's log of the job.
        """
        try:
            with FileLock(job.folder / LOCK, str(job.folder)) as lock:
                lock_fd = lock.fd
                if not has_result(job):
                    self._run(job, lock_fd)
        except (JobError, InputError, OSError) as error:
            reason = _describe(error) if type(error) is OSError else str(error)
            with suppress(OSError):  # the disk may be full
                write_json(job.folder / FAILURE, {'reason': reason})
            return Outcome(False, reason)
        return Outcome(True)

    def _run(self, job: Job, lock_fd: int) -> None:
        _prepare(job)
        resume = _last_checkpoint(job.folder) is not None
        started = time.monotonic()
        try:
            self._train(job, resume, lock_fd)
            if _lacks_validation(job):
                # Killed between the last checkpoint and the last validation.
                module = 'msbreg_mm.engine.validate'
                command = [sys.executable, '-m', module, str(job.folder)]
                self._call(job, command, lock_fd)
        finally:
            spent = _add_time(job, time.monotonic() - started)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
        write_record(job.folder, make_record(job, self.devices, spent, now))

    def _train(self, job: Job, resume: bool, lock_fd: int) -> None:
        """Train, and go on where a signal to the trainer alone has ended it."""
        for _ in range(_RESUMES):
            try:
                self._call(job, self.trainer.arguments(job, resume), lock_fd)
                return
            except TrainerInterruptedError:
                resume = _last_checkpoint(job.folder) is not None
        self._call(job, self.trainer.arguments(job, resume), lock_fd)

    def _call(self, job: Job, command: list[str], lock_fd: int) -> None:
        log = job.folder / LOG
        with log.open('ab') as stream:
            start = stream.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=child_environment(self.devices, self.threads),
                start_new_session=True,
                # The lock lives as long as anything of the job does.
                pass_fds=(lock_fd,),
            )
        try:
            write_json(job.folder / PROCESS, {'group': process.pid})
            code = process.wait()
        finally:
            stop_group(process)
            (job.folder / PROCESS).unlink(missing_ok=True)
        if code == RESUME_CODE or (code and (job.folder / INTERRUPTED).is_file()):
            raise TrainerInterruptedError(_explain(code, log, start))
        if code:
            raise JobError(_explain(code, log, start))


def has_result(job: Job) -> bool:
    """Whether the job has a record of its own identity."""
    record = read_record(job.folder)
    return record is not None and record.identity == job.identity


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a trainer's process group."""
    # A second Ctrl-C must not end this half-way.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_GRACE)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        signal.signal(signal.SIGINT, previous)


def _lacks_validation(job: Job) -> bool:
    """Whether the training is over but its result was not scored."""
    schedule = job.task.schedule
    if not job.task.scored or read_final_log(job).is_complete(schedule):
        return False
    last = _last_checkpoint(job.folder)
    return last is not None and last.stem == f'{schedule.unit}_{schedule.total}'


def _last_checkpoint(folder: Path) -> Path | None:
    if not any(folder.glob('*.pth')):
        return None

    return find_resumable(folder)


def _prepare(job: Job) -> None:
    """Move a run of another config or checkpoint aside; note this one."""
    state = read_json(job.folder / _STATE)
    identity = asdict(job.identity)
    if state and state.get('identity') != identity:
        _move_aside(job.folder)
        state = None
    if state is None:
        write_json(job.folder / _STATE, {'identity': identity, 'wall_time_s': 0.0})
    (job.folder / FAILURE).unlink(missing_ok=True)
    (job.folder / INTERRUPTED).unlink(missing_ok=True)


def _move_aside(folder: Path) -> None:
    """Keep what another run left, out of the reports' sight."""
    stamp = time.strftime('%Y%m%d_%H%M%S')
    target = folder.parent / f'.replaced-{folder.name}-{stamp}'
    target.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name != LOCK:  # it is held
            shutil.move(str(path), target / path.name)


def _add_time(job: Job, seconds: float) -> float:
    state = read_json(job.folder / _STATE) or {'identity': asdict(job.identity)}
    before: Any = state.get('wall_time_s')
    state['wall_time_s'] = (before if is_number(before) else 0.0) + seconds
    with suppress(OSError):
        write_json(job.folder / _STATE, state)
    return state['wall_time_s']


def _describe(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'


def _explain(code: int, log: Path, start: int) -> str:
    """Say why a trainer ended, with its last lines."""
    with log.open('rb') as stream:
        stream.seek(start)
        text = stream.read().decode(errors='replace')
    lines: Sequence[str] = [line for line in text.splitlines() if line.strip()]
    if code < 0:
        head = f'the trainer was ended by {signal.Signals(-code).name}'
        if -code == signal.SIGKILL:
            head += ' (often the system ran out of memory)'
    else:
        head = f'the trainer ended with code {code}'
    if any('out of memory' in line for line in lines):
        head += '; the device ran out of memory: lower train_dataloader.batch_size'
    elif any('No space left' in line for line in lines):
        head += '; the disk is full: free some space and call again'
    elif errors := [line for line in lines if _ERROR.match(line)]:
        head += f': {errors[-1]}'
    tail = '\n'.join(f'  {line[:300]}' for line in lines[-_LOG_LINES:])
    return f'{head}\nEnd of {log}:\n{tail or "  (nothing was printed)"}'
