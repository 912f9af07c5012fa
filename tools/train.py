"""Pretrain a backbone, or fine-tune one on a downstream task."""

import argparse
import os

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import DictAction, LaunchOptions
from msbreg_mm.utils.errors import short_input_errors


def parse_args() -> LaunchOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--checkpoint',
        help="weights of the backbone in any known format, or 'random'",
    )
    parser.add_argument('--seed', type=int, help='seed of all random numbers')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or from the latest of the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='accept a checkpoint that does not fill the backbone',
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='allow a checkpoint whose pickle runs code',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='changes to the config as key=value, e.g. data_root=data/imagenet',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    # torchrun's predecessor passes this one.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = vars(parser.parse_args())
    os.environ.setdefault('LOCAL_RANK', str(args.pop('local_rank')))
    return LaunchOptions(**args)


if __name__ == '__main__':
    options = parse_args()
    with short_input_errors():
        build_runner(options).train()
