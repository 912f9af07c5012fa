"""One training per work directory, and a directory that can be written."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from msbreg_mm.runs.folder import TRAINING_LOCK
from msbreg_mm.utils.errors import OutputError
from msbreg_mm.utils.locks import FileLock, LockedError

# Locks of this process, by folder; a folder may be claimed again by its holder.
_held: dict[Path, FileLock] = {}


class WorkDirError(OutputError):
    """The work directory cannot take this training; the message says why."""


def claim_work_dir(work_dir: str | Path) -> None:
    """Make the work directory, and keep other trainings out until the process ends.

    Args:
        work_dir: Work directory of the run.

    Raises:
        WorkDirError: If another training uses it, or it cannot be written.
    """
    path = Path(work_dir).resolve()
    if path in _held:
        return
    lock = FileLock(path / TRAINING_LOCK, f'work_dir {str(work_dir)!r}')
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f'.{os.getpid()}.probe'
        probe.write_bytes(b'x')
        probe.unlink()
        lock.acquire()
    except LockedError as error:
        raise WorkDirError(f'{error}. Two trainings would mix their files') from None
    except OSError as error:
        raise WorkDirError(
            f'cannot write to work_dir {str(work_dir)!r}: {error.strerror or error}; '
            'make it writable or pass another --work-dir'
        ) from None
    # Data workers must not hold it when this process is gone.
    os.register_at_fork(after_in_child=lock.release)
    _held[path] = lock


def release_work_dir(work_dir: str | Path) -> None:
    """Let other trainings in; nothing if this process does not hold it."""
    lock = _held.pop(Path(work_dir).resolve(), None)
    if lock is not None:
        lock.release()


def check_space(folder: str | Path, checkpoint_bytes: int, count: int) -> None:
    """Check that the checkpoints of a training fit on the disk.

    Args:
        folder: Where they are written.
        checkpoint_bytes: Size of one.
        count: How many there are at once, at least 1, beside those that are there.

    Raises:
        WorkDirError: If they do not fit.
    """
    free = shutil.disk_usage(folder).free
    if checkpoint_bytes * count > free:
        raise WorkDirError(
            f'{str(folder)!r} has {free / 2**20:,.0f} MiB free, but {count} '
            f'checkpoints of {checkpoint_bytes / 2**20:,.0f} MiB will be there at '
            'once: free some space, choose another work_dir, or lower '
            'default_hooks.checkpoint.max_keep_ckpts'
        )


def is_first_process(launcher: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the first of a run whose processes are not connected.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        environ: Environment variables, which the launchers set.
    """
    names = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}
    return int(environ.get(names.get(launcher, ''), '0')) == 0
