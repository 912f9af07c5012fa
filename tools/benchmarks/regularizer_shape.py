"""Carry a regulariser's weights from one shape to another, on simulated embeddings.

Batch and dimension enter the terms and each method's own loss differently, so weights
that were measured on a small network (regularizer_weight.py) do not hold at ImageNet's
shape. Here a method's real `loss()` runs on made-up embeddings of the shape of a
config: the variance along direction j falls as j^-`--decay` whatever the dimension,
views agree by `--cosine`, and a predictor is the identity. The gradients of the terms
and of the method at the embeddings give shares at weight 1; their ratio between two
shapes is the factor that keeps a weight's share.

    python tools/benchmarks/regularizer_shape.py byol simsiam barlowtwins
"""

import argparse
import re
from pathlib import Path
from typing import Any

import timing
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch import Tensor, nn
from torch.nn import functional as F

CONFIGS = Path(__file__).parents[2] / 'configs'
METHODS = (
    'byol',
    'simsiam',
    'barlowtwins',
    'simclr',
    'mocov2',
    'mocov3',
    'swav',
    'vicreg',
)
TERMS = ('singular_value', 'brownian')
# Stands for the backbone that the embeddings replace.
TINY = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 4}


class Given(nn.Module):
    """A network whose input is its embedding already."""

    def __init__(self, unit: bool) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Any) -> list[Tensor] | Tensor:
        """Return the embeddings as a neck does."""
        if isinstance(x, list):  # SwAV's neck gets one entry per size of crop
            return F.normalize(torch.cat([part[0] for part in x]).flatten(1), dim=-1)
        x = x[0] if isinstance(x, tuple) else x
        x = x.flatten(1)
        return [F.normalize(x, dim=-1) if self.unit else x]

    def update_parameters(self, model: nn.Module) -> None:
        """Stand for the update of an averaged network."""


class Wrapped(nn.Module):
    """Hands its input on as a backbone does."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the input as the last stage."""
        return (x,)


def find(folder: str, method: str) -> Path:
    """Return the regularised config of a method."""
    paths = CONFIGS.glob(f'{folder}/{method}-reg_*.py')
    (path,) = (path for path in paths if '4views' not in path.name)
    return path


def build(cfg: Config) -> Any:
    """Build the method of a config around embeddings that are given."""
    from mmpretrain.registry import MODELS

    import msbreg_mm.models  # noqa: F401

    model_cfg = cfg.model.to_dict()
    algorithm = model_cfg['algorithm']
    small = {'in_channels': 32, 'hid_channels': 8}
    algorithm.update(backbone=TINY, neck={**algorithm['neck'], **small})
    model = MODELS.build(model_cfg)
    model.backbone, model.neck = Wrapped(), Given(unit=False)
    for name in ('target_net', 'momentum_encoder', 'encoder_k'):
        if hasattr(model, name):
            setattr(model, name, Given(unit=False))
    if getattr(model.head, 'predictor', None) is not None:
        model.head.predictor = nn.Identity()
    for name in TERMS:
        getattr(model.regularizer, name).loss_weight = 1.0
    return model


def rotation(dims: int) -> Tensor:
    """Return a random orthogonal matrix, as a product that is cheap to draw."""
    signs = [torch.randn(dims).sign() for _ in range(2)]
    # A discrete cosine transform spreads every direction over all dimensions.
    index = torch.arange(dims)
    cosines = torch.cos(torch.pi * (index + 0.5) * index[:, None] / dims)
    cosines[0] /= 2**0.5
    return signs[0][:, None] * cosines * signs[1] * (2 / dims) ** 0.5


def simulate(
    views: int, images: int, dims: int, args: argparse.Namespace, basis: Tensor
) -> Tensor:
    """Return embeddings (K, N, D) of unit mean square."""
    image, noise = torch.randn(images, dims), torch.randn(views, images, dims)
    mixed = args.cosine**0.5 * image + (1 - args.cosine) ** 0.5 * noise
    variance = torch.arange(1, dims + 1).pow(-args.decay)
    return (mixed * (variance / variance.mean()).sqrt()) @ basis


def shares(path: Path, args: argparse.Namespace) -> tuple[str, dict[str, float]]:
    """Return the shape of a config and each term's share at weight 1 there."""
    cfg = Config.fromfile(path)
    torch.manual_seed(args.seed)
    model = build(cfg).train()
    gpus, per_gpu = map(int, re.findall(r'_(\d+)xb(\d+)-', path.stem)[0])
    dims = cfg.model.algorithm.neck.out_channels
    loss: Any = getattr(model.head, 'loss_module', None)
    views = sum(getattr(loss, 'num_crops', [2]))
    basis = rotation(dims)
    if hasattr(model, 'queue'):
        keys = simulate(1, model.queue_len, dims, args, basis)[0]
        model.queue.copy_(F.normalize(keys, dim=-1).mT)
    if hasattr(loss, 'prototypes'):
        points = simulate(1, len(loss.prototypes.weight), dims, args, basis)[0]
        loss.prototypes.weight.data.copy_(F.normalize(points, dim=-1))
    drawn = simulate(views, gpus * per_gpu, dims, args, basis)
    inputs = [view[..., None, None].requires_grad_() for view in drawn]
    losses = model.loss(inputs, [])
    terms = {name: losses.pop(f'loss_{name}') for name in TERMS}
    norms = {
        name: torch.cat(
            [
                g.flatten()
                for g in torch.autograd.grad(
                    term, inputs, retain_graph=True, allow_unused=True
                )
                if g is not None
            ]
        ).norm()
        for name, term in {**terms, 'own': sum(losses.values())}.items()
    }
    shape = f'{gpus * per_gpu} x {dims}'
    return shape, {name: (norms[name] / norms['own']).item() for name in TERMS}


def measure(method: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return one row of the table."""
    small, at_small = shares(find('demo', method), args)
    large, at_large = shares(find('pretrain', method), args)
    row: dict[str, Any] = {'method': method, 'N x D, demo': small, 'ImageNet': large}
    for name in TERMS:
        row[f'{name}, shares at weight 1'] = (
            f'{at_small[name]:.2g}, {at_large[name]:.2g}'
        )
        row[f'{name}, factor'] = f'{at_small[name] / at_large[name]:.2g}'
    return row


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=1)
    parser.add_argument('methods', nargs='*', default=METHODS)
    parser.add_argument('--decay', type=float, default=1.5, help='of the spectrum')
    parser.add_argument('--cosine', type=float, default=0.8, help='of two views')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # BYOL's and MoCo v3's averaged networks read the length of the training.
    MessageHub.get_current_instance().update_info('max_iters', 100)
    rows = [measure(method, args) for method in args.methods]
    title = f'simulated embeddings, decay {args.decay:g}, cosine {args.cosine:g}'
    timing.report(title, rows, args)


if __name__ == '__main__':
    main()
