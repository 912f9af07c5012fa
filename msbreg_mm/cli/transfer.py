"""Run downstream tasks over checkpoints and seeds; table and HTML report.

Give checkpoints as name=path, path, or random. A second call goes on where the
first stopped.
"""

import argparse

from msbreg_mm.cli.arguments import (
    add_cfg_options,
    add_jobs,
    add_length,
    add_trust,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg transfer``."""
    add = parser.add_argument
    add('checkpoints', nargs='*', help="name=path, path, or 'random'")
    add('--tasks', nargs='+', default=[], help='names (msbreg tasks) or configs')
    add('--seeds', nargs='+', type=int, default=[0, 1, 2])
    add('--work-dir', default='work_dirs/transfer', help='folder of the suite')
    add('--list-tasks', action='store_true', help='the same as msbreg tasks')
    add_jobs(parser)
    add('--amp', action='store_true', help='mixed precision')
    add('--auto-scale-lr', action='store_true', help='scale the learning rate')
    add(
        '--skip-preflight',
        action='store_true',
        help='start without a look at checkpoints, data, metrics and disk',
    )
    add_length(parser)
    add_trust(parser)
    add_cfg_options(parser, 'changes to every config')
    add_pretrain_dir(parser)


def add_pretrain_dir(parser: argparse.ArgumentParser) -> None:
    """Add where the curves of the pretraining come from."""
    parser.add_argument(
        '--pretrain-dir',
        nargs='+',
        default=[],
        help='name=work_dir of the pretraining runs, for their curves',
    )


def run(args: argparse.Namespace) -> int:
    """Run the suite."""
    if args.list_tasks:
        from msbreg_mm.cli.tasks import list_tasks

        return list_tasks()
    from msbreg_mm.suite.options import SuiteOptions
    from msbreg_mm.transfer.run import run as run_transfer

    given = {k: v for k, v in vars(args).items() if k != 'list_tasks'}
    return run_transfer(SuiteOptions(**given))
