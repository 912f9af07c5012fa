"""MSBReg and BYOL beside lightly's BYOL: same images, network, budget and kNN.

lightly's CIFAR-10 protocol: ResNet-18 with a 3 x 3 stem, SGD 0.06, batch 128, cosine,
kNN with k = 200 and T = 0.1. `--width`, `--epochs` and `--images` shrink it to what a
machine can do. Every run is one line of `--out`; a second call runs what is missing.
"""

import argparse
import copy
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from method import read_split
from runs import parser, pretrain, run_missing, show

from msbreg_mm.evaluation import effective_rank, knn_accuracy
from msbreg_mm.evaluation.extraction import pool_features

CONFIGS = Path(__file__).parents[2] / 'configs' / 'pretrain'
CONFIG = '{}_resnet18-cifar_1xb128-coslr-200e_cifar10.py'
# Config and number of views; four views make half as many epochs.
METHODS = {
    'random init': ('byol', 2),
    'lightly byol': ('byol', 2),
    'byol': ('byol', 2),
    'msbreg, 2 views': ('msbreg', 2),
    'msbreg, 4 views': ('msbreg', 4),
}


def train_ours(name: str, seed: int, args: argparse.Namespace) -> torch.nn.Module:
    """Pretrain with this project and return the backbone."""
    method, views = METHODS[name]
    epochs = max(1, args.epochs * 2 // views)
    width = int(64 * args.width)
    views_of = 'train_dataloader.dataset.pipeline.0.views.{}.num_views'
    model = pretrain(
        CONFIGS / CONFIG.format(method),
        seed,
        args.data_root,
        {
            'train_dataloader.dataset.indices': args.images,
            views_of.format(0): views // 2,
            views_of.format(1): views // 2,
            'train_cfg.max_epochs': epochs,
            'param_scheduler.0.T_max': epochs,
            'param_scheduler.0.end': epochs,
            'model.backbone.stem_channels': width,
            'model.backbone.base_channels': width,
            'model.neck.in_channels': 8 * width,
        },
        train=name != 'random init',
    )
    return model.backbone


def train_lightly(seed: int, args: argparse.Namespace) -> torch.nn.Module:
    """Pretrain lightly's BYOL with lightly's parts and return the backbone."""
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models import ResNetGenerator
    from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    from lightly.transforms.byol_transform import (
        BYOLTransform,
        BYOLView1Transform,
        BYOLView2Transform,
    )
    from PIL import Image

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    pixels, _ = read_split(args.data_root / 'train.npz', 32, args.images)
    images = [Image.fromarray(image[..., ::-1]) for image in pixels]
    resnet = ResNetGenerator('resnet-18', width=args.width)
    backbone = torch.nn.Sequential(
        *list(resnet.children())[:-1], torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    dim = int(512 * args.width)
    online = torch.nn.Sequential(backbone, BYOLProjectionHead(dim, 1024, 256))
    target = copy.deepcopy(online)
    deactivate_requires_grad(target)
    predictor = BYOLPredictionHead(256, 1024, 256)
    criterion = NegativeCosineSimilarity()
    parameters = [*online.parameters(), *predictor.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.06, momentum=0.9, weight_decay=5e-4)
    steps = args.epochs * (args.images // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loader: Any = torch.utils.data.DataLoader(
        _Views(
            images,
            BYOLTransform(
                BYOLView1Transform(input_size=32, gaussian_blur=0.0),
                BYOLView2Transform(input_size=32, gaussian_blur=0.0),
            ),
        ),
        batch_size=128,
        shuffle=True,
        drop_last=True,
    )
    for _ in range(args.epochs):
        for x0, x1 in loader:
            update_momentum(online, target, m=0.99)
            p0, p1 = predictor(online(x0)), predictor(online(x1))
            with torch.no_grad():
                t0, t1 = target(x0), target(x1)
            loss = 0.5 * (criterion(p0, t1) + criterion(p1, t0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return backbone


class _Views(torch.utils.data.Dataset):
    def __init__(self, images: list[Any], transform: Any) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index])


@torch.no_grad()
def embed(backbone: torch.nn.Module, images: np.ndarray) -> torch.Tensor:
    """Return pooled features of BGR images; both projects normalise like ImageNet."""
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    backbone.eval()
    parts = []
    for chunk in np.array_split(images, max(1, len(images) // 256)):
        batch = torch.from_numpy(chunk[..., ::-1].transpose(0, 3, 1, 2).copy())
        parts.append(pool_features(backbone((batch - mean) / std)))
    return torch.cat(parts)


def run(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Pretrain one method and score it by kNN."""
    start = time.perf_counter()
    if name == 'lightly byol':
        backbone = train_lightly(seed, args)
    else:
        backbone = train_ours(name, seed, args)
    seconds = time.perf_counter() - start
    images, labels = read_split(args.data_root / 'train.npz', 32, args.images)
    val_images, val_labels = read_split(args.data_root / 'val.npz', 32, 4000)
    bank = embed(backbone, images)
    queries = embed(backbone, val_images)
    accuracy = knn_accuracy(
        bank, labels, queries, val_labels, ks=(200,), temperatures=(0.1,)
    )
    return {
        'knn': accuracy[200, 0.1],
        'rank': effective_rank(bank),
        'seconds': round(seconds, 1),
    }


def main() -> None:
    """Parse the arguments, run what is missing and report."""
    flags = parser(__doc__, list(METHODS))
    flags.add_argument('--width', type=float, default=1.0, help='1 is ResNet-18')
    flags.add_argument('--epochs', type=int, default=200, help='of two views')
    flags.add_argument('--images', type=int, default=20000)
    rows = run_missing(flags.parse_args(), run, ('width', 'epochs', 'images'))
    show(rows, ('knn', 'rank', 'seconds'))


if __name__ == '__main__':
    main()
