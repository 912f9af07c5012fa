"""Processes that evaluators fork end by signals as they always did."""

import multiprocessing
import os
import signal

from msbreg_mm.engine.resuming.interruption import Interruption


def square(x: int) -> int:
    return x * x


def test_a_pool_that_is_terminated_ends():
    # mmdet's eval_map closes its pool by SIGTERM and waits for it.
    with Interruption() as interruption:
        with multiprocessing.get_context('fork').Pool(2) as pool:
            assert pool.map(square, range(4)) == [0, 1, 4, 9]
        for worker in multiprocessing.active_children():
            worker.join(10)
            assert not worker.is_alive()
        assert interruption.received is None


def test_a_signal_of_the_process_itself_is_noted():
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert interruption.received is signal.SIGUSR1
