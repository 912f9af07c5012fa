"""Statistics of batch normalisation, against those of all activations at once."""

from itertools import count

import gloo
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset
from toy_runner import Recorder

from msbreg_mm.engine.hooks import PreciseBNHook
from msbreg_mm.engine.hooks.precise_bn_hook import record_statistics

IMAGES = 12
_numbers = count()


@DATASETS.register_module()
class PreciseData(Dataset):
    """Images of unequal sizes and levels, so that no batch is like another."""

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(index)
        side = 4 + 2 * (index // 4)
        return {'inputs': torch.randn(3, side, side, generator=rng) * (index + 1)}


@MODELS.register_module()
class PreciseNet(BaseModel):
    """Two trained BN layers, one frozen, one that no batch reaches."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.bn = nn.BatchNorm2d(4, momentum=0.01)
        self.second = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))
        self.frozen = nn.BatchNorm2d(2)
        self.unreached = nn.BatchNorm2d(2)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, inputs, mode='tensor'):
        x = torch.stack(inputs)
        x = self.frozen(self.second(self.bn(self.conv(x)).relu()))
        if mode == 'predict':
            return [0]
        return {'loss': x.square().mean()} if mode == 'loss' else x


def train(work_dir, *hooks, by_epoch=False, **settings):
    unit = 'epoch' if by_epoch else 'iter'
    loader = dict(
        dataset=dict(type='PreciseData'),
        # batches of 4 images of one size
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=4,
        num_workers=0,
    )
    cfg = dict(
        model=dict(type='PreciseNet'),
        work_dir=str(work_dir),
        train_dataloader=loader,
        val_dataloader={**loader, 'batch_size': 1},
        train_cfg={'by_epoch': by_epoch, f'max_{unit}s': 3, 'val_interval': 2},
        val_cfg={},
        val_evaluator=[],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by_epoch)
        ),
        randomness=dict(seed=0),
        experiment_name=f'precise{next(_numbers)}',
        log_level='ERROR',
    )
    cfg.update(settings)
    runner = Runner.from_cfg(Config(cfg))
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def population(model):
    """Mean and variance of all values at each trained layer, from one big list."""
    data = [PreciseData()[index]['inputs'] for index in range(IMAGES)]
    first, second = [], []
    with torch.no_grad():
        for start in range(0, IMAGES, 4):
            x = model.conv(torch.stack(data[start : start + 4]))
            first.append(x)
            mean = x.mean((0, 2, 3), keepdim=True)
            std = (x.var((0, 2, 3), keepdim=True, correction=0) + model.bn.eps).sqrt()
            affine = [v.view(-1, 1, 1) for v in (model.bn.weight, model.bn.bias)]
            second.append(
                model.second[0](((x - mean) / std * affine[0] + affine[1]).relu())
            )
    return [
        (values.double().mean(1), values.double().var(1, correction=0))
        for values in (
            torch.cat([x.transpose(0, 1).flatten(1) for x in outputs], 1)
            for outputs in (first, second)
        )
    ]


def assert_exact(model):
    wanted = population(model)
    for layer, (mean, variance) in zip(
        (model.bn, model.second[1]), wanted, strict=True
    ):
        torch.testing.assert_close(layer.running_mean.double(), mean)
        torch.testing.assert_close(layer.running_var.double(), variance)


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize('by_epoch', [False, True])
def test_last_state_has_population_statistics(tmp_path, by_epoch):
    plain = train(tmp_path / 'plain', by_epoch=by_epoch).model
    runner = train(tmp_path / 'precise', PreciseBNHook(), by_epoch=by_epoch)
    model = runner.model
    assert_exact(model)
    with pytest.raises(AssertionError):
        assert_exact(plain)
    # the weights, the frozen layer and the one without data are as without the hook
    for name, value in weights(plain).items():
        torch.testing.assert_close(model.get_parameter(name), value, rtol=0, atol=0)
    for layer in (model.frozen, model.unreached):
        assert layer.running_mean.eq(0).all()
        assert layer.running_var.eq(1).all()
    assert model.bn.num_batches_tracked == plain.bn.num_batches_tracked

    saved = torch.load(
        tmp_path / 'precise' / ('epoch_3.pth' if by_epoch else 'iter_3.pth'),
        weights_only=False,
    )['state_dict']
    torch.testing.assert_close(saved['bn.running_var'], model.bn.running_var)


class Spy(PreciseBNHook):
    def __init__(self):
        super().__init__()
        self.at = []

    def _recompute(self, runner):
        self.at.append(runner.iter + 1)


def test_runs_before_validations_and_at_the_end(tmp_path):
    spy = Spy()
    train(tmp_path / 'val', spy)
    assert spy.at == [2, 3]
    spy = Spy()
    no_validation = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    train(tmp_path / 'no_val', spy, **no_validation)
    assert spy.at == [3]


def test_training_data_continue_undisturbed(tmp_path):
    """The following iterations see the batches they would have seen."""
    states = []
    for hooks in ([], [PreciseBNHook()]):
        recorder = Recorder()
        sampler = dict(type='InfiniteSampler', shuffle=True)
        loader = dict(
            dataset=dict(type='PreciseData'),
            sampler=sampler,
            batch_sampler=None,
            batch_size=1,
            num_workers=0,
        )
        # With batches of one image a BN layer normalises by its own statistics.
        train(
            tmp_path / str(len(hooks)),
            recorder,
            *hooks,
            train_dataloader=loader,
            train_cfg=dict(by_epoch=False, max_iters=6, val_interval=2),
        )
        states.append([state['conv.weight'] for state in recorder.states])
    for plain, precise in zip(*states, strict=True):
        torch.testing.assert_close(plain, precise, rtol=0, atol=0)


@pytest.mark.dist
def test_statistics_of_different_ranks():
    """Two processes with unequal batches agree with one that sees everything."""
    results = gloo.run(_two_ranks)
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    everything = torch.cat([_rank_values(rank) for rank in range(2)])
    torch.testing.assert_close(results[0][0], everything.mean(0))
    torch.testing.assert_close(results[0][1], everything.var(0, correction=0))


def _rank_values(rank):
    rng = torch.Generator().manual_seed(rank)
    return torch.randn(5 + 3 * rank, 4, generator=rng) * (1 + rank) + rank


def _two_ranks():
    from msbreg_mm.engine.hooks.precise_bn_hook import _write

    layer = nn.BatchNorm1d(4)
    values = _rank_values(torch.distributed.get_rank())
    with record_statistics([layer]) as sums:
        for batch in values.split(4):
            if len(batch) > 1:
                layer(batch)
            else:  # a batch of one value has no variance
                sums[layer] += torch.stack(
                    [torch.ones(4), batch[0], batch[0].square()]
                ).double()
    assert _write(layer, sums[layer])
    return layer.running_mean, layer.running_var


def test_bad_arguments():
    with pytest.raises(ValueError, match='num_iters must be at least 1, got 0'):
        PreciseBNHook(num_iters=0)
