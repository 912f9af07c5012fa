"""Print the tables of a suite and write its report files again."""

import argparse
import sys

from msbreg_mm.cli.transfer import report


def main() -> int:
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='--work-dir of tools/transfer.py')
    parser.add_argument(
        '--pretrain-dir',
        nargs='+',
        default=[],
        help='name=work_dir of the pretraining runs, for their curves',
    )
    args = parser.parse_args()
    return report(args.work_dir, args.pretrain_dir)


if __name__ == '__main__':
    sys.exit(main())
