"""Run an ablation: pretrain its variants over seeds, evaluate them, report.

A second call goes on where the first stopped.
"""

import argparse
import sys

from msbreg_mm.cli.ablate import AblateOptions, run


def main() -> int:
    """Read the command line and run the ablation."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('config', help='e.g. configs/ablations/loss_terms.py')
    add('--variants', nargs='+', default=[], help='only these; * works')
    add('--seeds', nargs='+', type=int, default=[], help="default: the config's")
    add('--work-dir', help='default: work_dirs/ablations/<config>')
    add('--dry-run', action='store_true', help='list the runs and stop')
    add('--report-only', action='store_true', help='run nothing, write the report')
    add('--jobs', type=int, help='most runs at once; default: as many as GPUs')
    add('--gpus-per-job', type=int, default=1, help='default 1; 0 for the CPU')
    add('--cluster', choices=['local', 'slurm'], default='local')
    add(
        '--slurm-options',
        nargs='+',
        default=[],
        help='key=value for submitit, e.g. partition=gpu time=600',
    )
    add('--amp', action='store_true', help='mixed precision in pretraining')
    add('--auto-scale-lr', action='store_true', help='in pretraining')
    add(
        '--cfg-options',
        nargs='+',
        default=[],
        help='key=value for every pretraining config, e.g. data_root=data/imagenet',
    )
    add(
        '--task-options',
        nargs='+',
        default=[],
        help='key=value for every evaluation task',
    )
    return run(AblateOptions(**vars(parser.parse_args())))


if __name__ == '__main__':
    sys.exit(main())
