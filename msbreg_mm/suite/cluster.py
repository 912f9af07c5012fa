"""Where jobs run: the GPUs of this machine, its CPU, or Slurm."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import submitit

from msbreg_mm.utils.errors import OptionError

# The local executor wants a time limit; a suite has none.
_NO_LIMIT_MIN = 60 * 24 * 365


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

    @property
    def threads_per_job(self) -> int | None:
        """CPU threads of each of several jobs on the CPU; ``None`` sets no limit."""
        if self.kind != 'local' or any(self.slots):
            return None
        return max(1, (os.cpu_count() or 1) // len(self.slots))


def local_cluster(gpus_per_job: int = 1, jobs: int | None = None) -> Cluster:
    """Describe this machine: as many jobs at once as the visible GPUs allow.

    Args:
        gpus_per_job: GPUs of one job; 0 runs on the CPU.
        jobs: Most jobs at once; by default all that the GPUs allow. On the CPU
            one per core, at most 4: two jobs of one thread finish in half the
            time of one after the other with two threads, but each needs 1.5 GiB.

    Raises:
        OptionError: If there are fewer GPUs than one job needs.
    """
    ids = _visible_gpus() if gpus_per_job else []
    if not ids:
        return Cluster(slots=((),) * (jobs or min(os.cpu_count() or 1, 4)))
    if len(ids) < gpus_per_job:
        raise OptionError(f'a job needs {gpus_per_job} GPUs, {len(ids)} are visible')
    starts = range(0, len(ids) - gpus_per_job + 1, gpus_per_job)
    slots = tuple(tuple(ids[start : start + gpus_per_job]) for start in starts)
    return Cluster(slots=slots[: jobs or len(slots)])


def make_executor(work_dir: Path, cluster: Cluster) -> submitit.Executor:
    """Make the submitit executor of a suite.

    Args:
        work_dir: Folder of the suite.
        cluster: Where jobs run.

    Raises:
        OptionError: If the kind of cluster is unknown, or Slurm is not installed.
    """
    folder = work_dir / '.submitit'
    if cluster.kind == 'local':
        executor = submitit.LocalExecutor(folder=folder)
        executor.update_parameters(timeout_min=_NO_LIMIT_MIN)
        return executor
    if cluster.kind == 'slurm':
        if shutil.which('srun') is None:
            raise OptionError(
                'no Slurm here (srun is not on the PATH); leave out --cluster slurm'
            )
        slurm = submitit.SlurmExecutor(folder=folder)
        slurm.update_parameters(**{'job_name': 'transfer', **cluster.parameters})
        return slurm
    raise OptionError(f"cluster must be 'local' or 'slurm', got {cluster.kind!r}")


def _visible_gpus() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        return [str(index) for index in range(torch.cuda.device_count())]
    return [part.strip() for part in visible.split(',') if part.strip()]
