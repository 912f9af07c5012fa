"""Locks that die with the processes that hold them."""

import fcntl
import os
import socket
import time
from pathlib import Path
from types import TracebackType

from msbreg_mm.utils.errors import InputError


class LockedError(InputError, RuntimeError):
    """Another living process holds the lock; the message says which."""


class FileLock:
    """An exclusive lock on a file, held while any process keeps it open.

    The kernel releases it when the last holder ends, however it ends, so that a
    lock of a dead process never has to be recognised. Child processes hold it
    with their parent if they get :attr:`fd`.

    Args:
        path: Lock file; it stays behind, empty of meaning without the lock.
        what: What is locked, for the error message.
    """

    def __init__(self, path: str | Path, what: str) -> None:
        self.path = Path(path)
        self.what = what
        self.fd = -1

    def acquire(self, timeout: float = 0.0) -> 'FileLock':
        """Take the lock.

        Args:
            timeout: Seconds to wait for it.

        Raises:
            LockedError: If another process holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _try_lock(fd, time.monotonic() + timeout):
            holder = os.read(fd, 200).decode(errors='replace').strip()
            os.close(fd)
            raise LockedError(
                f'{self.what} is in use by {holder or "another process"}; wait for it, '
                'stop it, or choose another work directory'
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f'process {os.getpid()} on {socket.gethostname()}'.encode(), 0)
        self.fd = fd
        return self

    def release(self) -> None:
        """Close this process's handle; the lock ends with the last handle."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> 'FileLock':
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _try_lock(fd: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def is_locked(path: str | Path) -> bool:
    """Whether some living process holds the lock."""
    if not Path(path).is_file():
        return False
    fd = os.open(path, os.O_RDWR)
    try:
        return not _try_lock(fd, 0.0)
    finally:
        os.close(fd)
