"""Time one training step of MSBReg against mmpretrain's BYOL on the same network.

A step is forward, backward, optimizer and EMA update on two views that are ready in
memory. MSBReg runs as `tools/train.py` runs it, with the views in one batch and
channels-last weights; it is also timed without the latter.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timing
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch import Tensor

from msbreg_mm.engine.hooks.target_ema_hook import group_parameters, move_targets
from msbreg_mm.utils.upstream import import_scope

BASES = Path(__file__).parents[2] / 'configs' / '_base_' / 'models'


def build(name: str, device: str) -> Any:
    """Build a model from its base config."""
    import_scope('mmpretrain')
    from mmpretrain.registry import MODELS

    import msbreg_mm.models  # noqa: F401

    torch.manual_seed(0)
    cfg = Config.fromfile(BASES / f'{name}.py').model
    model = MODELS.build(cfg)
    return model.to(device).train()


def make_step(model: Any, views: list[Tensor], amp: bool) -> Callable[[], None]:
    """Return a function that makes one training step."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
    groups = []
    if hasattr(model, 'target_backbone'):
        groups = group_parameters(
            [
                (model.backbone, model.target_backbone),
                (model.neck, model.target_neck),
            ]
        )

    def step() -> None:
        with torch.autocast(views[0].device.type, torch.bfloat16, enabled=amp):
            losses = model.loss(views, [])
        loss = sum(losses.values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        move_targets(groups, 0.996)  # BYOL moves its target inside loss()

    return step


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=11)
    parser.add_argument('--network', default='resnet18-w16', help='or resnet50')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--size', type=int, default=64, help='pixels')
    parser.add_argument('--amp', action='store_true', help='bfloat16 autocast')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # CosineEMA reads the length of the schedule there.
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    shape = (args.batch_size, 3, args.size, args.size)
    views = [torch.randn(shape, device=args.device) for _ in range(2)]
    ours, plain, byol = (
        build(f'{name}_{args.network}', args.device)
        for name in ('msbreg', 'msbreg', 'byol')
    )
    ours.to(memory_format=torch.channels_last)
    calls = {
        'MSBReg': make_step(ours, views, args.amp),
        'MSBReg, no channels-last': make_step(plain, views, args.amp),
        "mmpretrain's BYOL": make_step(byol, views, args.amp),
    }
    found = timing.medians(calls, args.repeats, args.device)
    rows = [
        {'step': name, 'median ms': value, 'times MSBReg': value / found['MSBReg']}
        for name, value in found.items()
    ]
    title = f'training step, {args.network}, 2 x {args.batch_size} x {args.size} px'
    timing.report(title, rows, args)


if __name__ == '__main__':
    main()
