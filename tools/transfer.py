"""Run downstream tasks over checkpoints and seeds; table and HTML report.

Give checkpoints as name=path, path, or random. A second call goes on where the
first stopped.
"""

import argparse
import sys

from msbreg_mm.cli.transfer import SuiteOptions, list_tasks, run


def main() -> int:
    """Read the command line and run the suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('checkpoints', nargs='*', help="name=path, path, or 'random'")
    add('--tasks', nargs='+', default=[], help='names (--list-tasks) or configs')
    add('--seeds', nargs='+', type=int, default=[0, 1, 2])
    add('--work-dir', default='work_dirs/transfer', help='folder of the suite')
    add('--list-tasks', action='store_true', help='list the tasks and stop')
    add('--dry-run', action='store_true', help='list the jobs and stop')
    add('--jobs', type=int, help='most jobs at once; default: as many as GPUs')
    add('--gpus-per-job', type=int, default=1, help='default 1; 0 for the CPU')
    add('--cluster', choices=['local', 'slurm'], default='local')
    add(
        '--slurm-options',
        nargs='+',
        default=[],
        help='key=value for submitit, e.g. partition=gpu time=600',
    )
    add('--amp', action='store_true', help='mixed precision')
    add('--auto-scale-lr', action='store_true', help='scale the learning rate')
    add('--allow-partial', action='store_true', help='accept partial checkpoints')
    add('--trust', action='store_true', help='allow checkpoints that run code')
    add('--cfg-options', nargs='+', default=[], help='key=value for every config')
    add(
        '--pretrain-dir',
        nargs='+',
        default=[],
        help='name=work_dir of the pretraining runs, for their curves',
    )
    args = vars(parser.parse_args())
    if args.pop('list_tasks'):
        return list_tasks()
    return run(SuiteOptions(**args))


if __name__ == '__main__':
    sys.exit(main())
