"""Convert a pretraining or detection checkpoint to another project's backbone file.

    python tools/convert_checkpoint.py SRC DST --to torchvision

The source's format is recognised by its content (docs/checkpoints.md lists all).
"""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from msbreg_mm.checkpoints import (
    FORMATS,
    MatchReport,
    convert_checkpoint,
)
from msbreg_mm.utils.errors import short_input_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='checkpoint file or Hugging Face folder')
    parser.add_argument('dst', help='file to write (a new folder for safetensors)')
    parser.add_argument(
        '--to',
        required=True,
        choices=FORMATS,
        help='format to write',
    )
    parser.add_argument(
        '--source',
        choices=['online', 'target'],
        help='network to take where there are two; by default the one that the '
        "method's authors evaluate (online, but the teacher of DINO and DINOv2)",
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='let a pickle run its code; only for files of people you trust',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='write a backbone with missing or unknown keys',
    )
    return parser.parse_args()


def show(report: MatchReport, console: Console) -> None:
    """Print a match report."""
    table = Table('keys', 'number', 'first', title=f'{report.path}: {report.arch}')
    for name in ('matched', 'missing', 'unexpected', 'mismatched', 'ignored'):
        keys = getattr(report, name)
        first = ', '.join(keys[:3]) + (', …' if len(keys) > 3 else '')
        table.add_row(name, str(len(keys)), first)
    console.print(table)
    console.print(report.summary(), highlight=False)


def main() -> int:
    """Convert; 2 on an error that the message explains."""
    args = parse_args()
    with short_input_errors():
        report = convert_checkpoint(
            args.src,
            args.dst,
            args.to,
            source=args.source,
            trust=args.trust,
            allow_partial=args.allow_partial,
        )
        show(report, Console())
        print(f'wrote {args.dst} ({args.to})')
    return 0


if __name__ == '__main__':
    sys.exit(main())
