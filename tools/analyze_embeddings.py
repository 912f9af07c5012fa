"""Look at the embeddings of checkpoints: measures, maps, nearest neighbours.

Give checkpoints as name=path, path, or random; they are shown side by side.
"""

import argparse
import sys

from msbreg_mm.cli.analyze import AnalysisOptions, analyze
from msbreg_mm.runs.config import DictAction


def main() -> int:
    """Read the command line and write the analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    add('--allow-partial', action='store_true', help='accept partial checkpoints')
    add('--trust', action='store_true', help='allow checkpoints that run code')
    add('--cfg-options', nargs='+', action=DictAction, default={})
    return analyze(AnalysisOptions(**vars(parser.parse_args())))


if __name__ == '__main__':
    sys.exit(main())
