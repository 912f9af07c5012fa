"""Convert a pretraining or detection checkpoint to another project's backbone file.

    msbreg convert SRC DST --to torchvision

The source's format is recognised by its content (docs/checkpoints.md lists all).
"""

import argparse
from typing import TYPE_CHECKING

from msbreg_mm.checkpoints.format_names import FORMATS
from msbreg_mm.cli.arguments import add_trust

if TYPE_CHECKING:
    from rich.console import Console

    from msbreg_mm.checkpoints import MatchReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg convert``."""
    add = parser.add_argument
    add('src', help='checkpoint file or Hugging Face folder')
    add('dst', help='file to write (a new folder for safetensors)')
    add('--to', required=True, choices=FORMATS, help='format to write')
    add(
        '--source',
        choices=['online', 'target'],
        help='network to take where there are two; by default the one that the '
        "method's authors evaluate (online, but the teacher of DINO and DINOv2)",
    )
    add_trust(parser)


def run(args: argparse.Namespace) -> int:
    """Convert."""
    from rich.console import Console

    from msbreg_mm.checkpoints import convert_checkpoint

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


def show(report: 'MatchReport', console: 'Console') -> None:
    """Print a match report."""
    from rich.table import Table

    table = Table('keys', 'number', 'first', title=f'{report.path}: {report.arch}')
    for name in ('matched', 'missing', 'unexpected', 'mismatched', 'ignored'):
        keys = getattr(report, name)
        first = ', '.join(keys[:3]) + (', …' if len(keys) > 3 else '')
        table.add_row(name, str(len(keys)), first)
    console.print(table)
    console.print(report.summary(), highlight=False)
