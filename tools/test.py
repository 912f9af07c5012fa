"""Score a trained model on its config's test set."""

import argparse
import os

from msbreg_mm.engine.launch import run_test
from msbreg_mm.runs.config import DictAction, LaunchOptions
from msbreg_mm.utils.errors import short_input_errors


def main() -> None:
    """Read the command line and score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='what tools/train.py wrote with it')
    parser.add_argument('--work-dir', help='folder of the logs')
    parser.add_argument('--out', help='JSON file for the metrics')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='changes to the config as key=value, e.g. data_root=data/coco',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    # torchrun's predecessor passes this one.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    options = LaunchOptions(
        config=args.config,
        work_dir=args.work_dir,
        launcher=args.launcher,
        cfg_options=args.cfg_options,
    )
    with short_input_errors():
        run_test(options, args.checkpoint, args.out)


if __name__ == '__main__':
    main()
