"""Time one update of a ResNet-50 target network.

TargetEMAHook's foreach update is compared with a loop over the parameters, with
mmengine's ExponentialMovingAverage and with mmpretrain's CosineEMA. Variants take
turns, so that other work on the machine slows all alike.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from rich.console import Console
from rich.table import Table
from torch import nn
from torchvision.models import resnet50

from msbreg_mm.engine.hooks.target_ema_hook import group_parameters, move_targets
from msbreg_mm.utils.upstream import import_without

MOMENTUM = 0.996


@torch.no_grad()
def loop(online: nn.Module, target: nn.Module) -> None:
    """Move the target parameter by parameter."""
    for old, new in zip(target.parameters(), online.parameters(), strict=True):
        old.lerp_(new, 1 - MOMENTUM)


def updates(online: nn.Module) -> dict[str, Callable[[], None]]:
    """Return the updates to compare, by name, each with its own target."""
    cosine_ema = import_without('mmpretrain.models.utils.ema', 'mmdet').CosineEMA
    # CosineEMA reads the length of the schedule there.
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    looped, grouped = deepcopy(online), deepcopy(online).requires_grad_(False)
    groups = group_parameters([(online, grouped)])
    theirs = ExponentialMovingAverage(online, momentum=1 - MOMENTUM)
    cosine = cosine_ema(online, momentum=1 - MOMENTUM)
    return {
        'foreach': lambda: move_targets(groups, MOMENTUM),
        'loop': lambda: loop(online, looped),
        'mmengine': lambda: theirs.update_parameters(online),
        'mmpretrain': lambda: cosine.update_parameters(online),
    }


def seconds(update: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of one update."""
    if device.type == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    update()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(repeats: int, device: torch.device) -> dict[str, float]:
    """Return median milliseconds by name, after two warm-up rounds.

    The first call of upstream's averages copies instead of averaging.
    """
    table = updates(resnet50().to(device))
    rounds = [
        {name: seconds(update, device) for name, update in table.items()}
        for _ in range(repeats + 2)
    ][2:]
    return {name: 1e3 * statistics.median(r[name] for r in rounds) for name in table}


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--repeats', type=int, default=31)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', type=Path, help='file to write the medians to')
    args = parser.parse_args()
    device = torch.device(args.device)
    medians = measure(args.repeats, device)
    ratios = {name: value / medians['foreach'] for name, value in medians.items()}
    table = Table('update', 'median, ms', 'times foreach')
    for name, value in medians.items():
        table.add_row(name, f'{value:.2f}', f'{ratios[name]:.2f}')
    Console().print(table)
    if args.json:
        report = {
            'torch': torch.__version__,
            'device': str(device),
            'machine': platform.machine(),
            'threads': torch.get_num_threads(),
            'repeats': args.repeats,
            'median_ms': medians,
            'over_foreach': ratios,
        }
        temporary = args.json.with_suffix('.tmp')
        temporary.write_text(json.dumps(report, indent=2) + '\n')
        os.replace(temporary, args.json)


if __name__ == '__main__':
    main()
