"""Signals that end a training after the iteration that it is in."""

import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import distributed

from msbreg_mm.registry import FUNCTIONS
from msbreg_mm.utils.errors import RESUME_CODE

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
# Seconds for which a data worker outlives a signal to its whole group.
_WORKER_GRACE = 20


class TrainingInterrupted(SystemExit):
    """The training was told to stop, has saved, and can be resumed.

    It ends the program with :data:`msbreg_mm.utils.errors.RESUME_CODE`.

    Args:
        text: What happened and what was saved.
    """

    def __init__(self, text: str) -> None:
        super().__init__(RESUME_CODE)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Interruption:
    """Notes SIGTERM, SIGINT and SIGUSR1 (Slurm), and lets all processes agree.

    A second signal of the same kind has its usual effect at once. Signals reach
    Python's main thread only; elsewhere nothing is noted.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._pid = os.getpid()
        self._previous: dict[signal.Signals, Any] = {}
        self._group: Any = None
        self._pending: tuple[Any, torch.Tensor] | None = None

    def __enter__(self) -> 'Interruption':
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._note)
        if get_world_size() > 1:
            # On the CPU, so that no GPU is waited for.
            self._group = distributed.new_group(backend='gloo')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._pending is not None:
            self._pending[0].wait()
        self._pending = None
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def agree(self, save: bool) -> tuple[bool, bool]:
        """Say whether to stop, and whether to save, after this iteration.

        Several processes exchange it while the next iteration runs, so that none
        waits: they stop one iteration later, all at the same one.

        Args:
            save: Whether this process wants to save.

        Returns:
            Whether any process was told to stop, and whether any wants to save.
        """
        stop = self.received is not None
        if self._group is None:
            return stop, save
        before, flags = self._pending, torch.tensor([int(stop), int(save)])
        work = distributed.all_reduce(
            flags, distributed.ReduceOp.MAX, self._group, async_op=True
        )
        self._pending = work, flags
        if before is None:
            return False, False
        before[0].wait()
        return bool(before[1][0]), bool(before[1][1])

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A forked pool (mmdet's VOC scoring has one) ends its own processes by
            # SIGTERM; data workers have a handler of their own, see below.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if self.received == number:
            signal.signal(number, self._previous.get(self.received, signal.SIG_DFL))
            os.kill(self._pid, number)
            return
        self.received = signal.Signals(number)
        # Workers get the signal, too; that they end is no error now.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.write(
            sys.stderr.fileno() if _has_fileno(sys.stderr) else 2,
            f'{self.received.name}: stopping after this iteration; once more stops at '
            'once\n'.encode(),
        )


@FUNCTIONS.register_module()
def steadfast_worker(worker_id: int) -> None:
    """Let a data worker outlive signals that its whole group gets.

    A worker that ended at once would take the iteration with it that shall be
    finished and saved. The worker ends when its parent closes it, or seconds
    later.

    Args:
        worker_id: Number of the worker.
    """

    def later(number: int, frame: FrameType | None) -> None:
        def end() -> None:
            time.sleep(_WORKER_GRACE)
            os._exit(128 + number)

        threading.Thread(target=end, daemon=True).start()

    for number in SIGNALS:
        signal.signal(number, later)


def _has_fileno(stream: Any) -> bool:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    return True
