"""What draws of (seed, epoch, image, view) cost a whole pipeline.

The data loader of a config is read with the launcher's SeededSampler and without it, as
mmengine would have it, in this process. CPU time, in turns; the ratio is that of each
turn, so that what else the machine does falls on both.
"""

import copy
import logging
import statistics
import time
from typing import Any

import timing
import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.utils.upstream import import_scope


def loaders(config: str, options: dict[str, Any]) -> tuple[DataLoader, DataLoader]:
    """Return a config's training loader without and with the seeded sampler."""
    cfg = resolve_config(
        LaunchOptions(config, cfg_options=options | {'train_dataloader.num_workers': 0})
    )
    scope = cfg.get('default_scope', 'mmpretrain')
    import_scope(scope)
    init_default_scope(scope)
    seeded = cfg.train_dataloader
    plain = copy.deepcopy(seeded)
    plain.sampler = plain.sampler.sampler
    if plain.get('batch_sampler'):
        plain.batch_sampler = plain.batch_sampler.batch_sampler
    return tuple(Runner.build_dataloader(one, seed=0) for one in (plain, seeded))


def microseconds(loader: DataLoader, images: int) -> float:
    """Read some images and return the CPU time of one."""
    start, read = time.process_time(), 0
    for batch in loader:
        read += len(batch['data_samples'])
        if read >= images:
            break
    return 1e6 * (time.process_time() - start) / read


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=15)
    parser.add_argument('configs', nargs='+')
    parser.add_argument('--images', type=int, default=512, help='of one reading')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    rows = []
    for config in args.configs:
        plain, seeded = loaders(config, args.cfg_options)
        rounds = []
        for turn in range(args.repeats + 1):
            order = (plain, seeded) if turn % 2 else (seeded, plain)
            found = {id(one): microseconds(one, args.images) for one in order}
            rounds.append((found[id(plain)], found[id(seeded)]))
        rounds = rounds[1:]
        ratios = statistics.quantiles([b / a for a, b in rounds], n=4)
        quickest = min(b for _, b in rounds) / min(a for a, _ in rounds)
        rows.append(
            {
                'config': config.rpartition('/')[2].removesuffix('.py'),
                'plain, us': statistics.median(a for a, _ in rounds),
                'seeded, us': statistics.median(b for _, b in rounds),
                'ratio, median': f'{ratios[1]:.4f}',
                'quartiles': f'{ratios[0]:.4f} to {ratios[2]:.4f}',
                'of the quickest': f'{quickest:.4f}',
            }
        )
    timing.report('draws of (seed, epoch, image, view), one process', rows, args)


if __name__ == '__main__':
    main()
