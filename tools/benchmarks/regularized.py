"""Time one training step of a method with and without the regularisers.

A step is forward, backward and optimizer on views that are ready in memory. The
variants share one network and take turns step by step, so that other work on the
machine slows all alike; the share is the median over the rounds of the paired
difference. On a CPU the process's own time is taken, without that of other programs.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import timing
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch import Tensor

from msbreg_mm.utils.upstream import import_scope

BASES = Path(__file__).parents[2] / 'configs' / '_base_' / 'models'
METHODS = (
    'byol',
    'simsiam',
    'barlowtwins',
    'simclr',
    'mocov2',
    'mocov3',
    'swav',
    'densecl',
    'vicreg',
)
# Terms that are on, by variant; None: the method's own loss(), nothing captured.
VARIANTS: dict[str, tuple[str, ...] | None] = {
    'method alone': None,
    'weights 0': (),
    'singular value': ('singular_value',),
    'singular value + Brownian': ('singular_value', 'brownian'),
}


def build(name: str, device: str) -> Any:
    """Build the regularised method from its base config."""
    import_scope('mmpretrain')
    from mmpretrain.registry import MODELS

    import msbreg_mm.models  # noqa: F401

    torch.manual_seed(0)
    algorithm = Config.fromfile(BASES / f'{name}.py').model
    model = MODELS.build({'type': 'msbreg_mm.Regularized', 'algorithm': algorithm})
    return model.to(device).train()


def make_steps(model: Any, views: list[Tensor]) -> dict[str, Callable[[], None]]:
    """Return a function per variant that makes one training step."""
    from msbreg_mm.models.selfsup.regularized import RegularizedMixin

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
    terms = {
        name: (term, term.loss_weight)
        for name, term in model.regularizer.named_children()
        if name in model.regularizer.reads
    }
    own_loss = super(RegularizedMixin, model).loss

    def step(on: tuple[str, ...] | None) -> None:
        for name, (term, weight) in terms.items():
            term.loss_weight = weight if name in (on or ()) else 0.0
        losses = own_loss(views, []) if on is None else model.loss(views, [])
        loss = sum(losses.values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return {name: partial(step, on) for name, on in VARIANTS.items()}


def make_views(model: Any, args: argparse.Namespace) -> list[Tensor]:
    """Two views; SwAV's further crops have half the side."""
    crops = getattr(getattr(model.head, 'loss_module', None), 'num_crops', [2])
    return [
        torch.randn(args.batch_size, 3, size, size, device=args.device)
        for size, count in zip((args.size, args.size // 2), crops, strict=False)
        for _ in range(count)
    ]


def seconds(step: Callable[[], None], device: str) -> float:
    """Return the seconds of one step; CPU seconds on a CPU."""
    if device != 'cpu':
        return timing.seconds(step, device)
    start = time.process_time()
    step()
    return time.process_time() - start


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=31)
    parser.add_argument('--methods', nargs='+', default=METHODS)
    parser.add_argument('--network', default='resnet18-w16', help='or resnet50')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--size', type=int, default=64, help='pixels')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # CosineEMA reads the length of the schedule there.
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    rows = []
    for method in args.methods:
        model = build(f'{method}_{args.network}', args.device)
        steps = make_steps(model, make_views(model, args))
        rounds = [
            {name: seconds(step, args.device) for name, step in steps.items()}
            for _ in range(args.repeats + 3)
        ][3:]
        for name in VARIANTS:
            extra = statistics.median(r[name] / r['method alone'] - 1 for r in rounds)
            rows.append(
                {
                    'method': method,
                    'step': name,
                    'median ms': 1e3 * statistics.median(r[name] for r in rounds),
                    'extra, %': 100 * extra,
                }
            )
    title = (
        f'training step, {args.network}, views of {args.batch_size} x {args.size} px'
    )
    timing.report(title, rows, args)


if __name__ == '__main__':
    main()
