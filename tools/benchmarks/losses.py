"""Time the losses, forward and backward, on two views of N images in D dimensions.

The singular value loss is compared with the same loss by ``torch.linalg.svdvals``,
and the sum of MSBReg's three losses with lightly's Barlow Twins and VICReg losses
where lightly is installed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import timing
import torch
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


def losses(device: str) -> dict[str, Loss]:
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


def step(loss: Loss, z: Tensor) -> None:
    """Run one forward and backward pass."""
    z.grad = None
    loss(z).backward()


def measure(size: tuple[int, int], repeats: int, device: str) -> dict[str, Any]:
    """Return median milliseconds by loss for (N, D)."""
    generator = torch.Generator().manual_seed(0)
    z = F.normalize(torch.randn(2, *size, generator=generator), dim=-1)
    z = z.to(device).requires_grad_()
    calls = {name: partial(step, loss, z) for name, loss in losses(device).items()}
    found = timing.medians(calls, repeats, device)
    return {
        'N': size[0],
        'D': size[1],
        **{f'{name} ms': value for name, value in found.items()},
        'svd / singular': found['svd'] / found['singular'],
    }


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=7)
    parser.add_argument(
        '--sizes', nargs='+', default=['256x128', '256x256', '1024x256', '256x1024']
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sizes = [(int(n), int(d)) for n, d in (size.split('x') for size in args.sizes)]
    rows = [measure(size, args.repeats, args.device) for size in sizes]
    timing.report('losses, forward and backward, two views', rows, args)


if __name__ == '__main__':
    main()
