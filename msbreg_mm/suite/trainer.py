"""How a job starts the trainer: command, flags, devices."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from msbreg_mm.runs.folder import PREDICTIONS
from msbreg_mm.suite.plan import Job

# The same command in a checkout and where only the wheel is installed.
TRAIN = ('-m', 'msbreg_mm', 'train')
# Evaluators with an outfile_prefix.
_KEEPING = ('CocoMetric', 'ExactVOCMetric', 'KeptIoUMetric', 'KeptAccuracy')


@dataclass(frozen=True)
class Trainer:
    """The program that trains a job and the flags that all jobs share.

    Attributes:
        command: Program; a job's config and flags follow. By default
            ``msbreg train`` in this Python, under torchrun for several GPUs.
        settings: Flags that change what is computed, e.g. ``--amp``.
        flags: Other flags, e.g. ``--allow-partial``.
        cfg_options: ``key=value`` changes to every config.
        gpus_per_job: GPUs that one job uses; 0 for the CPU.
    """

    command: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    cfg_options: tuple[str, ...] = field(default=())
    gpus_per_job: int = 0

    def arguments(self, job: Job, resume: bool) -> list[str]:
        """Make the command line of a job.

        Args:
            job: The job.
            resume: Go on from the last checkpoint of its folder.
        """
        command = list(self.command) or self._default_command()
        command += [job.task.config, '--work-dir', str(job.folder)]
        command += ['--checkpoint', job.checkpoint.path]
        command += ['--seed', str(job.identity.seed)]
        command += [*self.settings, *self.flags]
        if resume:
            command.append('--resume')
        if self.gpus_per_job > 1 and not self.command:
            command += ['--launcher', 'pytorch']
        if options := [*self.cfg_options, *_keep_predictions(job)]:
            command += ['--cfg-options', *options]
        return command

    def _default_command(self) -> list[str]:
        if self.gpus_per_job > 1:
            launcher = ['-m', 'torch.distributed.run', '--standalone']
            launcher += ['--nproc_per_node', str(self.gpus_per_job)]
            return [sys.executable, *launcher, *TRAIN]
        return [sys.executable, *TRAIN]


def child_environment(
    devices: Sequence[str] | None, threads: int | None = None
) -> dict[str, str]:
    """Environment of the trainer.

    Args:
        devices: GPUs of the job, none for the CPU; ``None`` leaves the choice to
            the cluster.
        threads: Threads of torch on the CPU, unless ``OMP_NUM_THREADS`` is set
            already; ``None`` leaves the number to torch.
    """
    # The log is read as UTF-8, whatever the console of the suite is.
    env = dict(os.environ, PYTHONUNBUFFERED='1', PYTHONIOENCODING='utf-8')
    # A file queue.py in the current folder must not stand for Python's own.
    env['PYTHONSAFEPATH'] = '1'
    if threads is not None:
        env.setdefault('OMP_NUM_THREADS', str(threads))
    if devices is not None:
        env['CUDA_VISIBLE_DEVICES'] = ','.join(devices)
    # Left by the local executor and by launchers around the suite: the trainer
    # must not take itself for one of their ranks.
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        env.pop(name, None)
    return env


def _keep_predictions(job: Job) -> list[str]:
    """Let a metric keep its predictions; the report draws from them."""
    prefix = str(job.folder.resolve() / PREDICTIONS)
    # mmengine's DictAction would take such a path apart.
    if not job.evaluator.endswith(_KEEPING) or set(prefix) & set(' ,()[]{}\'"='):
        return []
    place = 'val_evaluator.0' if job.evaluator[:2] == '0.' else 'val_evaluator'
    return [f'{place}.outfile_prefix={prefix}']
