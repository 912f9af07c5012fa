"""Look at the embeddings of checkpoints: measures, maps, nearest neighbours.

Give checkpoints as name=path, path, or random; they are shown side by side.
"""

import argparse

from msbreg_mm.cli.arguments import add_cfg_options, add_trust


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg analyze``."""
    add = parser.add_argument
    add('checkpoints', nargs='+', help="name=path, path, or 'random'")
    add('--config', required=True, help='config with the backbone and the images')
    add('--out', default='work_dirs/analysis', help='folder to write to')
    add('--split', choices=['val', 'train', 'test'], help='default: the first there is')
    add(
        '--layer',
        choices=['backbone', 'neck'],
        default='backbone',
        help="pooled features, or the projector's embeddings",
    )
    add('--max-images', type=int, default=1000, help='evenly spaced over the set')
    add('--views', type=int, default=2, help='augmented views for alignment; 0: none')
    add('--queries', type=int, default=8, help='images whose neighbours are shown')
    add('--neighbours', type=int, default=6, help='how many')
    add(
        '--maps',
        nargs='*',
        choices=['pca', 'umap'],
        help='default: both if umap-learn is installed',
    )
    add('--seed', type=int, default=0, help='of views, random weights and UMAP')
    add('--batch-size', type=int, default=64)
    add('--device', help="'cpu' or 'cuda'; default: a GPU if there is one")
    add_trust(parser)
    add_cfg_options(parser, 'changes to the config')


def run(args: argparse.Namespace) -> int:
    """Analyse and write."""
    from rich.console import Console
    from rich.text import Text

    from msbreg_mm.analysis.run import AnalysisOptions, run_analysis
    from msbreg_mm.runs.settings import parse_options

    given = vars(args) | {'cfg_options': parse_options(args.cfg_options)}
    written = run_analysis(AnalysisOptions(**given))
    Console().print(Text(f'Written: {written}', style='bold'), soft_wrap=True)
    return 0
