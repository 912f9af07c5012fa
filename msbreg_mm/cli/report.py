"""Print the tables of a suite and write its report files again."""

import argparse

from msbreg_mm.cli.transfer import add_pretrain_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg report``."""
    parser.add_argument('work_dir', help='--work-dir of msbreg transfer')
    add_pretrain_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Report."""
    from msbreg_mm.transfer.run import report

    return report(args.work_dir, args.pretrain_dir)
