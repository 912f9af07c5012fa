"""A tiny training with everything that a resume can get wrong."""

import itertools
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import METRICS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from msbreg_mm.engine.resuming.interruption import TrainingInterrupted

IMAGES, BATCH = 24, 4
_numbers = itertools.count()


class Images(Dataset):
    """Vectors with noise from all three generators."""

    def __init__(self, size: int = IMAGES) -> None:
        self.x = torch.randn(size, 3, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        noise = random.random() + np.random.rand() + torch.rand(())
        return {'inputs': self.x[index] + 0.1 * noise}


class Model(BaseModel):
    """Batch normalisation, dropout, and a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 2)
        )
        self.queue = torch.zeros(2)

    def forward(self, inputs: list[torch.Tensor], mode: str = 'loss') -> Any:
        y = self.net(torch.stack(inputs))
        if mode == 'predict':
            return [float(y.square().mean())]
        self.queue = 0.9 * self.queue + y.detach().mean(dim=0)
        return {'loss': (y - self.queue).square().mean() + np.random.rand()}


@METRICS.register_module()
class Mean(BaseMetric):
    """The mean of what the model gives."""

    default_prefix = 'toy'

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += list(data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {'mean': float(np.mean(results))}


@METRICS.register_module()
class Later(Mean):
    """Better at each validation: the number of the epoch."""

    def compute_metrics(self, results: list) -> dict[str, float]:
        hub = MessageHub.get_current_instance()
        return {'mean': round((hub.get_info('iter') + 1) / 6)}


class Stop(Hook):
    """Ends the training after an iteration, or in a validation, as a kill would.

    Args:
        at: Iteration after which it ends.
        sign: Signal to send to this process instead of dying.
        validating: End in the next validation after that instead.
    """

    priority = 'LOWEST'

    def __init__(self, at: int, sign: int | None = None, validating: bool = False):
        self.at, self.sign, self.validating = at, sign, validating

    def _end(self) -> None:
        if self.sign is None:
            raise KeyboardInterrupt
        os.kill(os.getpid(), self.sign)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if runner.iter + 1 == self.at and not self.validating:
            self._end()

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if runner.iter >= self.at and self.validating:
            self._end()


def toy(work_dir: Path, by_epoch: bool = True, **settings: Any) -> Runner:
    """Build 6 iterations an epoch, 4 epochs; keys with ``__`` go into dicts."""
    loop = {'type': 'msbreg_mm.ResumableEpochLoop', 'max_epochs': 4}
    if not by_epoch:
        loop = {'type': 'msbreg_mm.ResumableIterLoop', 'max_iters': 24}
        loop['val_interval'] = 6
    config: dict[str, Any] = {
        'train_dataloader': {
            'dataset': Images(),
            'sampler': {
                'type': 'msbreg_mm.SeededSampler',
                'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            },
            'batch_size': BATCH,
            'num_workers': 0,
            'drop_last': True,
        },
        'val_dataloader': {
            'dataset': Images(8),
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'batch_size': 4,
        },
        'train_cfg': loop,
        'val_cfg': {},
        'val_evaluator': {'type': 'Mean'},
        'optim_wrapper': {
            'type': 'OptimWrapper',
            'optimizer': {'type': 'AdamW', 'lr': 0.05},
        },
        'param_scheduler': [
            {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 5},
            {
                'type': 'CosineAnnealingLR',
                'by_epoch': by_epoch,
                'T_max': 4 if by_epoch else 24,
            },
        ],
        'default_hooks': {
            'checkpoint': {
                'type': 'msbreg_mm.ResumableCheckpointHook',
                'interval': 1 if by_epoch else 6,
                'by_epoch': by_epoch,
                'max_keep_ckpts': 2,
                'save_best': 'toy/mean',
                'rule': 'less',
                'backend_args': {'backend': 'msbreg_atomic'},
            },
            'logger': {'type': 'LoggerHook', 'interval': 1},
        },
        'custom_hooks': [],
        'load_from': None,
        'resume': False,
    }
    for key, value in settings.items():
        *path, last = key.split('__')
        node = config
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    torch.manual_seed(0)  # the weights are drawn before the runner seeds
    return Runner(
        model=Model(),
        work_dir=str(work_dir),
        randomness={'seed': 0, 'diff_rank_seed': True},
        experiment_name=f'resume{os.getpid()}-{next(_numbers)}',
        log_level='ERROR',
        **config,
    )


def train(work_dir: Path, *stops: Stop, **settings: Any) -> dict[str, Any]:
    """Train, going on after each stop; return what the last checkpoints hold."""
    for number, stop in enumerate([*stops, None]):
        again = {'resume': True} if number else {}
        runner = toy(work_dir, **{**settings, **again})
        if stop is not None:
            runner.register_hook(stop)
        try:
            runner.train()
        except (KeyboardInterrupt, TrainingInterrupted):
            assert stop is not None
        else:
            assert stop is None, f'was not stopped: {vars(stop)}'
    return state(work_dir)


def state(work_dir: Path) -> dict[str, Any]:
    """Read the last and the best checkpoint, less times and paths."""
    last = Path((work_dir / 'last_checkpoint').read_text())
    found = {}
    for path in [work_dir / last.name, *work_dir.glob('best_*.pth')]:
        content = torch.load(path, weights_only=False)
        hub = content.pop('message_hub')
        meta = content.pop('meta')
        content['position'] = {key: meta[key] for key in ('epoch', 'iter', 'seed')}
        content['best'] = hub['runtime_info'].get('best_score')
        found[path.name] = content
    return found


def differences(left: Any, right: Any, place: str = '') -> list[str]:
    """List where two states differ in a single bit."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        equal = left.dtype == right.dtype and torch.equal(left, right)
        return [] if equal else [place]
    if isinstance(left, dict) and isinstance(right, dict):
        found = [f'{place}/{key} in one' for key in left.keys() ^ right.keys()]
        for key in left.keys() & right.keys():
            found += differences(left[key], right[key], f'{place}/{key}')
        return found
    if isinstance(left, (list, tuple)) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f'{place}/{i}')]
    return [] if left == right else [f'{place}: {left!r} != {right!r}']


def signals() -> list[int]:
    """List the signals that stop a training."""
    return [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
