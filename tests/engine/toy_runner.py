"""A runner that trains a tiny online/target model, for the tests of hooks."""

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from msbreg_mm.engine import hooks  # noqa: F401 - registers them

# Batches of 3: below a normalised batch of 2 there is no gradient.
IMAGES, BATCH = 12, 3
_numbers = itertools.count()
PAIR = [('backbone', 'target_backbone')]


class ToyData(Dataset):
    """Twelve fixed vectors."""

    def __init__(self, shift: float = 0.0) -> None:
        rng = torch.Generator().manual_seed(0)
        self.x = torch.randn(IMAGES, 3, generator=rng) + shift

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {'inputs': self.x[index]}


class ToyModel(BaseModel):
    """Online and target network with batch normalisation, initialised apart."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.target_backbone = copy.deepcopy(self.backbone).requires_grad_(False)
        self.embeddings = nn.Identity()
        self.losses = 0
        self.overflow_at: tuple[int, ...] = ()

    def init_weights(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def forward(self, inputs: list[Tensor], mode: str = 'loss') -> dict[str, Tensor]:
        x = torch.stack(inputs)
        self.losses += 1
        z = self.embeddings(self.backbone(x))
        with torch.no_grad():
            t = self.target_backbone(x)
        loss = (z - t.square()).square().mean()
        if self.losses in self.overflow_at:
            loss = loss * torch.inf
        return {'loss': loss}


class Recorder(Hook):
    """Keeps a copy of the state after each iteration; may raise, as a kill would."""

    priority = 'LOWEST'

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.states: list[dict[str, Tensor]] = []
        self.start: dict[str, Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        self.start = self._state(runner)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.states.append(self._state(runner))

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.epoch + 1 == self.stop_after:
            raise KeyboardInterrupt

    @staticmethod
    def _state(runner: Runner) -> dict[str, Tensor]:
        model = getattr(runner.model, 'module', runner.model)
        return {key: value.clone() for key, value in model.state_dict().items()}


def toy_runner(work_dir: Path, *custom_hooks: Any, **settings: Any) -> Runner:
    """Build a runner of 4 iterations per epoch, two epochs unless told."""
    epochs = settings.pop('epochs', 2)
    optim_wrapper = settings.pop('optim_wrapper', {})
    checkpoint = {'type': 'CheckpointHook', 'interval': 1}
    return Runner(
        model=settings.pop('model', None) or ToyModel(),
        work_dir=str(work_dir),
        train_dataloader={
            'dataset': settings.pop('dataset', None) or ToyData(),
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'batch_size': BATCH,
            'num_workers': 0,
        },
        train_cfg={'by_epoch': True, 'max_epochs': epochs},
        optim_wrapper={
            'type': 'OptimWrapper',
            'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9},
            **optim_wrapper,
        },
        default_hooks={
            'checkpoint': {**checkpoint, **settings.pop('checkpoint', {})},
            'logger': {'type': 'LoggerHook', 'interval': 1},
        },
        custom_hooks=list(custom_hooks),
        randomness={'seed': 0},
        # mmengine keeps logs and scalars of a name for the whole process.
        experiment_name=f'toy{next(_numbers)}',
        log_level='ERROR',
        **settings,
    )


def scalars(work_dir: Path) -> list[dict]:
    """Read the newest ``scalars.json`` of the run."""
    path = max(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in path.read_text().splitlines()]
