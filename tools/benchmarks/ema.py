"""Time one update of a ResNet-50 target network.

TargetEMAHook's foreach update is compared with a loop over the parameters, with
mmengine's ExponentialMovingAverage and with mmpretrain's CosineEMA.
"""

from collections.abc import Callable
from copy import deepcopy

import timing
import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torchvision.models import resnet50

from msbreg_mm.engine.hooks.target_ema_hook import group_parameters, move_targets
from msbreg_mm.utils.upstream import import_scope

MOMENTUM = 0.996


@torch.no_grad()
def loop(online: nn.Module, target: nn.Module) -> None:
    """Move the target parameter by parameter."""
    for old, new in zip(target.parameters(), online.parameters(), strict=True):
        old.lerp_(new, 1 - MOMENTUM)


def updates(online: nn.Module) -> dict[str, Callable[[], None]]:
    """Return the updates to compare, by name, each with its own target."""
    import_scope('mmpretrain')
    from mmpretrain.models.utils.ema import CosineEMA

    # CosineEMA reads the length of the schedule there.
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    looped, grouped = deepcopy(online), deepcopy(online).requires_grad_(False)
    groups = group_parameters([(online, grouped)])
    theirs = ExponentialMovingAverage(online, momentum=1 - MOMENTUM)
    cosine = CosineEMA(online, momentum=1 - MOMENTUM)
    return {
        'foreach': lambda: move_targets(groups, MOMENTUM),
        'loop': lambda: loop(online, looped),
        'mmengine': lambda: theirs.update_parameters(online),
        'mmpretrain': lambda: cosine.update_parameters(online),
    }


def main() -> None:
    """Parse the arguments, measure and report."""
    args = timing.parser(__doc__, repeats=31).parse_args()
    torch.set_num_threads(args.threads)
    calls = updates(resnet50().to(args.device))
    found = timing.medians(calls, args.repeats, args.device)
    rows = [
        {'update': name, 'median ms': value, 'times foreach': value / found['foreach']}
        for name, value in found.items()
    ]
    timing.report('one EMA update of a ResNet-50', rows, args)


if __name__ == '__main__':
    main()
