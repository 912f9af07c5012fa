"""Time the losses, forward and backward, on two views of N images in D dimensions.

The singular value loss is compared with the same loss by ``torch.linalg.svdvals``,
and the sum of MSBReg's three losses with lightly's Barlow Twins and VICReg losses
where lightly is installed. Variants take turns, so that other work on the machine
slows all alike.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.models.losses import (
    BrownianDiffusiveLoss,
    MultiviewCentroidLoss,
    SingularValueLoss,
)

Loss = Callable[[Tensor], Tensor]


def svd_loss(z: Tensor) -> Tensor:
    """Return the raw singular value loss by an explicit decomposition."""
    num_images, num_dims = z.shape[1:]
    sigma = torch.linalg.svdvals(z)
    return (num_dims / num_images**2 * sigma.pow(4).sum(dim=1) - 1).mean()


def losses(device: torch.device) -> dict[str, Loss]:
    """Return the losses to compare, by name."""
    centroid, singular = MultiviewCentroidLoss(), SingularValueLoss(loss_weight=1)
    brownian = BrownianDiffusiveLoss()
    table: dict[str, Loss] = {
        'svd': svd_loss,
        'singular': singular,
        'msbreg': lambda z: centroid(z, z) + singular(z) + brownian(z),
    }
    try:
        from lightly.loss import BarlowTwinsLoss, VICRegLoss
    except ImportError:
        return table
    barlow, vicreg = BarlowTwinsLoss().to(device), VICRegLoss().to(device)
    table['barlow'] = lambda z: barlow(z[0], z[1])
    table['vicreg'] = lambda z: vicreg(z[0], z[1])
    return table


def step_seconds(loss: Loss, z: Tensor) -> float:
    """Return the seconds of one forward and backward pass."""
    z.grad = None
    if z.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    loss(z).backward()
    if z.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(size: tuple[int, int], repeats: int, device: torch.device) -> dict:
    """Return median milliseconds by loss for (N, D), after one warm-up round."""
    generator = torch.Generator().manual_seed(0)
    z = F.normalize(torch.randn(2, *size, generator=generator), dim=-1)
    z = z.to(device).requires_grad_()
    table = losses(device)
    rounds = [
        {name: step_seconds(loss, z) for name, loss in table.items()}
        for _ in range(repeats + 1)
    ][1:]
    medians = {name: 1e3 * statistics.median(r[name] for r in rounds) for name in table}
    return {
        'images': size[0],
        'dimensions': size[1],
        'median_ms': medians,
        'svd_over_singular': medians['svd'] / medians['singular'],
    }


def show(rows: list[dict]) -> None:
    """Print the medians as a table."""
    names = list(rows[0]['median_ms'])
    table = Table('N', 'D', *(f'{name}, ms' for name in names), 'svd / singular')
    for row in rows:
        cells = [f'{row["median_ms"][name]:.2f}' for name in names]
        sizes = (str(row['images']), str(row['dimensions']))
        table.add_row(*sizes, *cells, f'{row["svd_over_singular"]:.1f}')
    Console().print(table)


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--sizes', nargs='+', default=['256x128', '256x256', '1024x256', '256x1024']
    )
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', type=Path, help='file to write the medians to')
    args = parser.parse_args()
    device = torch.device(args.device)
    sizes = [(int(n), int(d)) for n, d in (size.split('x') for size in args.sizes)]
    rows = [measure(size, args.repeats, device) for size in sizes]
    show(rows)
    if args.json:
        report = {
            'torch': torch.__version__,
            'device': str(device),
            'machine': platform.machine(),
            'threads': torch.get_num_threads(),
            'repeats': args.repeats,
            'rows': rows,
        }
        temporary = args.json.with_suffix('.tmp')
        temporary.write_text(json.dumps(report, indent=2) + '\n')
        os.replace(temporary, args.json)


if __name__ == '__main__':
    main()
