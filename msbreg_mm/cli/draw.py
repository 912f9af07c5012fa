"""Draw embeddings as particles on the sphere.

Without a run, free particles under each of MSBReg's forces: no network and no data,
the project's own losses move points by gradient descent. With the work directory of
a pretraining run, the views of a few of its images through training: as
msbreg_mm.TrajectoryHook recorded them, or from the checkpoints that were kept.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg draw``; what is not given is not passed on."""
    parser.argument_default = argparse.SUPPRESS
    add = parser.add_argument
    add('run_dir', nargs='?', default=None, help='work directory of a run')
    add('--out', default='particles.svg', help='.svg file')
    add('--images', type=int, help='number of images')
    add('--views', type=int, help='views of an image')
    add('--seed', type=int)
    free = parser.add_argument_group('free particles')
    add = free.add_argument
    add('--steps', type=int, help='steps of the descent')
    add('--step-size', type=float)
    add(
        '--weights',
        nargs=3,
        type=float,
        metavar=('CENTROID', 'SINGULAR_VALUE', 'BROWNIAN'),
        help='of the three losses',
    )
    add('--target-momentum', type=float, help='in [0, 1)')


def run(args: argparse.Namespace) -> int:
    """Draw."""
    from rich.console import Console
    from rich.text import Text

    from msbreg_mm.analysis.run import draw

    written = draw(**vars(args))
    Console().print(Text(f'Written: {written}', style='bold'), soft_wrap=True)
    return 0
