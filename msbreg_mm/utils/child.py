"""Run what can take the interpreter down, or all memory, in a child process."""

import mmap
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

_NOTE_BYTES = 1024
_GIB = 2**30


class ChildError(RuntimeError):
    """The child process ended without a result.

    Args:
        reason: What ended it.
        note: What it was at, in its own words.
    """

    def __init__(self, reason: str, note: str) -> None:
        super().__init__(f'{reason} at {note}' if note else reason)
        self.reason = reason
        self.note = note


class Note:
    """A line of text that outlives the process which wrote it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NOTE_BYTES)

    def __call__(self, text: str) -> None:
        """Keep a text in place of the last one."""
        data = text.encode('utf-8', 'replace')[: _NOTE_BYTES - 1]
        self._memory[: len(data) + 1] = data + b'\0'

    @property
    def text(self) -> str:
        """What was written last."""
        return self._memory[:].partition(b'\0')[0].decode('utf-8', 'replace')


def run_in_child(
    function: Callable[..., Any],
    *arguments: Any,
    memory_gib: float = 8.0,
    seconds: float = 3600.0,
) -> Any:
    """Call a function in a forked process with limits of memory and time.

    The child sees all that has been imported and read before, and its changes are
    lost. Errors of Python are raised here again.

    Args:
        function: Takes a :class:`Note` as its first argument, to say what it is at.
        *arguments: Its further arguments.
        memory_gib: What the child may allocate beyond what this process has.
        seconds: How long it may take.

    Returns:
        What the function returned; it is pickled.

    Raises:
        ChildError: If a signal, the limit of memory or of time ended it.
    """
    note = Note()
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os.close(reader)
        _child(writer, function, (note, *arguments), memory_gib)
    os.close(writer)
    timer = threading.Timer(seconds, os.kill, (process, signal.SIGKILL))
    timer.start()
    try:
        with os.fdopen(reader, 'rb') as stream:
            data = stream.read()
        status = os.waitpid(process, 0)[1]
    finally:
        late = not timer.is_alive()
        timer.cancel()
    if late:
        raise ChildError(f'stopped after {seconds:g} s', note.text)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        raise ChildError(f'the reader crashed ({name})', note.text)
    try:
        fine, value = pickle.loads(data)
    except (EOFError, pickle.UnpicklingError):
        raise ChildError('the reader ended early', note.text) from None
    if fine:
        return value
    if isinstance(value, MemoryError):
        raise ChildError(f'more than {memory_gib:g} GiB of memory', note.text)
    raise value


def _child(
    writer: int, function: Callable[..., Any], arguments: tuple, memory_gib: float
) -> None:
    """Run the function, send its result and end without any clean-up."""
    try:
        _limit_memory(int(memory_gib * _GIB))
        try:
            data = pickle.dumps((True, function(*arguments)))
        except Exception as error:
            data = _pack(error)
        with os.fdopen(writer, 'wb') as stream:
            stream.write(data)
    finally:
        os._exit(0)


def _pack(error: Exception) -> bytes:
    error.add_note('In the child process:\n' + traceback.format_exc())
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)  # not every exception can be built from its pickle
    except Exception:
        text = f'{type(error).__name__}: {error}'
        return pickle.dumps((False, RuntimeError(text)))
    return data


def _limit_memory(extra: int) -> None:
    with open('/proc/self/statm') as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = used + extra
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
