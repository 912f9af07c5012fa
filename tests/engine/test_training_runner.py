"""Several processes train as one does when weights change their memory order."""

import gloo
import pytest
import torch
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

import msbreg_mm.engine.hooks  # noqa: F401 - registers them
from msbreg_mm.engine.runner import TrainingRunner

WRAPPER = dict(
    type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
)
CHANNELS_LAST = dict(type='msbreg_mm.ChannelsLastHook')


class Images(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return {'inputs': torch.randn(3, 6, 6, generator=generator)}


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))

    def forward(self, inputs, mode='loss'):
        return {'loss': self.net(torch.stack(inputs)).square().mean()}


def _train(folder, hooks, iterations):
    runner = TrainingRunner(
        model=Model(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=Images(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=2,
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=iterations),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None, logger=None),
        custom_hooks=hooks,
        launcher='pytorch',
        cfg=dict(model_wrapper_cfg=WRAPPER, custom_hooks=hooks),
        experiment_name=f'{len(hooks)}{iterations}',
        log_level='ERROR',
    )
    runner.train()
    return [p.detach().contiguous() for p in runner.model.module.parameters()]


def _steps(folder):
    return [
        [_train(folder / str(n), hooks, n) for hooks in ([], [CHANNELS_LAST])]
        for n in (1, 2)
    ]


@pytest.mark.dist
def test_first_step_is_right(tmp_path):
    for plain, converted in gloo.run(_steps, tmp_path)[1]:
        # Permuted gradients differ by as much as they are large.
        torch.testing.assert_close(converted, plain, rtol=1e-4, atol=1e-6)
