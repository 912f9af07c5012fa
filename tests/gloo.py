"""Run a function in several gloo processes on this machine."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist
from torch import multiprocessing as mp

# Children fork from a server that has done the slow imports once.
_context = mp.get_context('forkserver')
_context.set_forkserver_preload(['msbreg_mm.models'])


def run(function: Callable[..., Any], *args: Any, world_size: int = 2) -> list[Any]:
    """Return ``function(*args)`` of each rank of a process group.

    Args:
        function: Function of a module, not a lambda, that may call collectives.
        args: Its arguments, pickled to every rank.
        world_size: Number of processes.

    Returns:
        The results by rank; ``torch.save`` must be able to write them.

    Raises:
        torch.multiprocessing.ProcessRaisedException: If a rank fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(
            _child,
            args=(world_size, folder, function, args),
            nprocs=world_size,
            start_method='forkserver',
        )
        return [
            torch.load(Path(folder, f'{rank}.pt'), weights_only=False)
            for rank in range(world_size)
        ]


def _child(
    rank: int, world_size: int, folder: str, function: Callable[..., Any], args: tuple
) -> None:
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    # A file needs no free port, so tests can run side by side.
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/init', rank=rank, world_size=world_size
    )
    dist.barrier()  # a rank that is done would break the connecting of the others
    try:
        torch.save(function(*args), Path(folder, f'{rank}.pt'))
    finally:
        dist.destroy_process_group()
