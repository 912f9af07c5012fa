"""From nothing to a report: generate data, pretrain, fine-tune, compare.

Makes images of shapes, pretrains a small ResNet-18 on them with MSBReg, fine-tunes
Mask R-CNN from it and from random weights over three seeds, and prints the table:
about 10 minutes on two CPU cores. Stop it at any time; a second call goes on.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PRETRAIN = 'demo/msbreg_resnet18-w16_1xb64-coslr-24e_shapes.py'
TASK = 'demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'
SHORT_IMAGES = {'num_unlabelled': 128, 'num_train': 8, 'num_val': 4}
SHORT_PRETRAIN = ['train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1']
SHORT_TASK = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg demo``."""
    parser.add_argument('--work-dir', default='work_dirs/demo', help='folder to make')
    parser.add_argument(
        '--short',
        action='store_true',
        help='a few images, one epoch and one seed: shows that all is installed, '
        'the numbers mean nothing',
    )


def run(args: argparse.Namespace) -> int:
    """Run the three steps, each as the command that anyone can type."""
    from msbreg_mm.utils.configs import CONFIG_ROOT

    root = Path(args.work_dir)
    for command in make_commands(root, CONFIG_ROOT, args.short):
        print('msbreg', *command, flush=True)
        code = subprocess.call([sys.executable, '-m', 'msbreg_mm', *command])
        if code:
            return code
    return 0


def make_commands(root: Path, configs: Path, short: bool = False) -> list[list[str]]:
    """Write the commands of the demo.

    Args:
        root: Folder of the demo.
        configs: Folder of the shipped configs.
        short: A few images, one epoch and one seed.
    """
    data, pretrain = root / 'shapes', root / 'pretrain'
    epochs, seeds = (1, [0]) if short else (24, [0, 1, 2])
    moved = f'data_root={data}'
    shapes = ['data', 'shapes', str(data)]
    if short:
        for name, count in SHORT_IMAGES.items():
            shapes += [f'--{name.replace("_", "-")}', str(count)]
    train = ['train', str(configs / PRETRAIN), '--work-dir', str(pretrain)]
    train += ['--resume', '--seed', '0', '--cfg-options', moved]
    train += SHORT_PRETRAIN if short else []
    transfer = ['transfer', 'random', f'msbreg={pretrain / f"epoch_{epochs}.pth"}']
    transfer += ['--tasks', str(configs / TASK), '--seeds', *map(str, seeds)]
    transfer += ['--work-dir', str(root / 'transfer')]
    transfer += ['--pretrain-dir', f'msbreg={pretrain}', '--cfg-options', moved]
    transfer += SHORT_TASK if short else []
    return [shapes, train, transfer]
