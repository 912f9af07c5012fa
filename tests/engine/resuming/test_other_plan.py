"""A training resumed with another plan follows that plan from the same place."""

import json

import pytest
import torch
from resumable_toy import Images, Stop, toy, train

from msbreg_mm.engine.resuming.plan import Plan, Position, translate
from msbreg_mm.utils.errors import OptionError

MOMENTUM = dict(type='CosineAnnealingMomentum', by_epoch=True, eta_min=0.5, T_max=4)
SGD = dict(type='SGD', lr=0.05, momentum=0.9)


def rates(work_dir):
    """Learning rate and momentum in the last checkpoint."""
    path = (work_dir / 'last_checkpoint').read_text()
    group = torch.load(path, weights_only=False)['optimizer']['param_groups'][0]
    return group['lr'], group.get('momentum')


@pytest.mark.parametrize(
    'change',
    [
        dict(train_dataloader__batch_size=8),
        dict(train_dataloader__dataset=Images(48)),
        dict(train_cfg__max_epochs=6, param_scheduler__1__T_max=6),
        dict(train_cfg__max_epochs=2),
        dict(optim_wrapper__optimizer=dict(SGD, lr=0.5)),
    ],
)
@pytest.mark.parametrize('at', [7, 12])
def test_rates_are_those_of_the_new_plan(tmp_path, change, at):
    linear = dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True)
    cosine = dict(type='CosineAnnealingLR', T_max=4, by_epoch=True)
    cosine |= {'T_max': change.pop('param_scheduler__1__T_max', 4)}
    settings = dict(optim_wrapper__optimizer=SGD)
    settings |= dict(param_scheduler=[linear, dict(cosine, T_max=4), MOMENTUM])
    other = {**settings, 'param_scheduler': [linear, cosine, MOMENTUM], **change}
    train(tmp_path / 'fresh', **other)
    runner = toy(tmp_path / 'resumed', **settings)
    runner.register_hook(Stop(at, 15))
    with pytest.raises(SystemExit):
        runner.train()
    toy(tmp_path / 'resumed', resume=True, **other).train()
    assert rates(tmp_path / 'resumed') == rates(tmp_path / 'fresh')
    lines = (tmp_path / 'resumed' / 'resumes.jsonl').read_text().splitlines()
    assert json.loads(lines[0])['changes']


def test_an_unchanged_plan_is_said_to_be_exact(tmp_path):
    train(tmp_path, Stop(7, 15))
    lines = (tmp_path / 'resumes.jsonl').read_text().splitlines()
    noted = json.loads(lines[0])
    assert len(lines) == 1
    assert (noted['epoch'], noted['iteration'], noted['changes']) == (1, 7, [])


def test_a_schedule_that_follows_metrics_is_refused(tmp_path):
    settings = dict(
        param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='toy/mean')],
        default_hooks__param_scheduler=dict(type='ParamSchedulerHook'),
    )
    runner = toy(tmp_path, **settings)
    runner.register_hook(Stop(8, 15))
    with pytest.raises(SystemExit):
        runner.train()
    again = toy(tmp_path, resume=True, train_dataloader__batch_size=8, **settings)
    with pytest.raises(OptionError, match='follows metrics'):
        again.train()


def test_epochs_are_not_iterations(tmp_path):
    train(tmp_path)
    with pytest.raises(OptionError, match='trained by epoch, this config trains by it'):
        toy(tmp_path, by_epoch=False, resume=True).train()


def test_iterations_stay_and_images_go_on(tmp_path):
    settings = dict(
        by_epoch=False,
        train_dataloader__sampler__sampler=dict(type='InfiniteSampler', shuffle=False),
    )
    runner = toy(tmp_path, **settings)
    runner.register_hook(Stop(3, 15))
    with pytest.raises(SystemExit):
        runner.train()
    again = toy(tmp_path, resume=True, train_dataloader__batch_size=2, **settings)
    first = []

    class Look(Stop):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            first.append((batch_idx, len(data_batch['inputs'])))

    again.register_hook(Look(-1))
    again.train()
    assert first[0] == (3, 2)
    assert again.train_loop.resumption.position.images == 12
    assert again.train_loop.images_at(0, 24) == 12 + 21 * 2


def test_place_inside_an_epoch():
    old = Plan('epoch', 4, 6, 4, 1, 24, 1)
    new = Plan('epoch', 4, 3, 4, 2, 24, 1)
    assert translate(Position(2, 16, 16), old, new) == Position(2, 8, 16)
    assert translate(Position(2, 15, 12), old, new) == Position(2, 7, 8)
    assert translate(Position(2, 12, 0), old, new) == Position(2, 6, 0)
