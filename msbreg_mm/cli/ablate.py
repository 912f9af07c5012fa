"""Run an ablation: pretrain its variants over seeds, evaluate them, report.

A second call goes on where the first stopped.
"""

import argparse

from msbreg_mm.cli.arguments import add_cfg_options, add_jobs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg ablate``."""
    add = parser.add_argument
    add('config', help='e.g. configs/ablations/loss_terms.py')
    add('--variants', nargs='+', default=[], help='only these; * works')
    add('--seeds', nargs='+', type=int, default=[], help="default: the config's")
    add('--work-dir', help='default: work_dirs/ablations/<config>')
    add_jobs(parser)
    add('--report-only', action='store_true', help='run nothing, write the report')
    add('--amp', action='store_true', help='mixed precision in pretraining')
    add('--auto-scale-lr', action='store_true', help='in pretraining')
    add_cfg_options(
        parser, 'changes to every pretraining config, e.g. data_root=data/imagenet'
    )
    add(
        '--task-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='changes to every evaluation task',
    )


def run(args: argparse.Namespace) -> int:
    """Run the ablation."""
    from msbreg_mm.ablation.run import AblateOptions
    from msbreg_mm.ablation.run import run as run_ablation

    return run_ablation(AblateOptions(**vars(args)))
