"""Arguments that several commands share."""

import argparse
import os


def add_cfg_options(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--cfg-options``; what it takes is read by ``parse_options``."""
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help=what
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add how processes are started."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    # torchrun's predecessor passes this one.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


def set_local_rank(rank: int) -> None:
    """Let mmengine find the rank that the launcher passed as a flag."""
    os.environ.setdefault('LOCAL_RANK', str(rank))


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add where and how the jobs of a suite run."""
    add = parser.add_argument
    add('--dry-run', action='store_true', help='list the jobs and stop')
    add('--jobs', type=int, help='most jobs at once; default: as many as GPUs')
    add('--gpus-per-job', type=int, default=1, help='default 1; 0 for the CPU')
    add('--cluster', choices=['local', 'slurm'], default='local')
    add(
        '--slurm-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='for submitit, e.g. partition=gpu time=600',
    )


def add_length(parser: argparse.ArgumentParser) -> None:
    """Add how long is trained, other than the config says."""
    add = parser.add_mutually_exclusive_group().add_argument
    add('--epochs', type=int, help='train so many epochs, all schedules scaled')
    add('--iters', type=int, help='train so many iterations, all schedules scaled')


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add what may be done with a checkpoint."""
    add = parser.add_argument
    add(
        '--allow-partial',
        action='store_true',
        help='accept a checkpoint that does not fill the backbone',
    )
    add(
        '--trust',
        action='store_true',
        help='let a pickle run its code; only for files of people you trust',
    )
