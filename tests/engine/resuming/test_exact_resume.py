"""A training that is stopped anywhere and resumed ends as if it had not been."""

import random
import signal

import gloo
import pytest
import torch
from mmengine.hooks import Hook
from resumable_toy import Images, Stop, differences, signals, state, toy, train

# Saves after every iteration.
ALWAYS = {'default_hooks__checkpoint__interval_minutes': 1e-9}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Uninterrupted runs by their settings."""
    cache = {}

    def get(**settings):
        key = str(sorted(settings.items()))
        if key not in cache:
            cache[key] = train(tmp_path_factory.mktemp('whole'), **settings)
        return cache[key]

    return get


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('often', [True, False])
def test_killed_anywhere(whole, tmp_path, by_epoch, often):
    expected = whole(by_epoch=by_epoch)
    rng = random.Random(f'{by_epoch}{often}')
    for number in range(4):
        stops = [Stop(at) for at in sorted(rng.sample(range(1, 24), 2))]
        extra = ALWAYS if often else {}
        if often:  # a kill comes before the checkpoint of the same iteration
            stops = [stop for stop in stops if stop.at > 1]
        found = train(tmp_path / str(number), *stops, by_epoch=by_epoch, **extra)
        names = [stop.at for stop in stops]
        assert not differences(found, expected), names


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('at', [1, 5, 6, 7, 23])
def test_told_to_stop(whole, tmp_path, by_epoch, at):
    number = signals()[at % 3]
    found = train(tmp_path, Stop(at, number), by_epoch=by_epoch)
    assert not differences(found, whole(by_epoch=by_epoch))


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('sign', [None, signal.SIGTERM])
@pytest.mark.parametrize('at', [12, 24])
def test_stopped_in_a_validation(whole, tmp_path, by_epoch, sign, at):
    found = train(tmp_path, Stop(at, sign, validating=True), by_epoch=by_epoch)
    assert not differences(found, whole(by_epoch=by_epoch))


@pytest.mark.parametrize('sign', [None, signal.SIGTERM])
def test_best_score_of_a_repeated_validation_is_kept(whole, tmp_path, sign):
    settings = {'default_hooks__checkpoint__rule': 'greater'}
    settings |= {'val_evaluator__type': 'Later'}
    found = train(tmp_path, Stop(24, sign, validating=True), **settings)
    assert found['epoch_4.pth']['best'] == 4
    assert not differences(found, whole(**settings))


@pytest.mark.parametrize(
    ('sampler', 'workers'),
    [('DefaultSampler', 2), ('InfiniteSampler', 0), ('InfiniteSampler', 2)],
)
def test_workers_and_passes(whole, tmp_path, sampler, workers):
    settings = {
        'by_epoch': sampler == 'DefaultSampler',
        'train_dataloader__sampler__sampler': dict(type=sampler, shuffle=True),
    }
    expected = whole(**settings)
    stop = Stop(9, signal.SIGTERM)
    found = train(tmp_path, stop, train_dataloader__num_workers=workers, **settings)
    assert not differences(found, expected)


def test_gradients_that_accumulate_are_kept(whole, tmp_path):
    settings = {'optim_wrapper__accumulative_counts': 4}
    found = train(tmp_path, Stop(6, signal.SIGTERM), **settings)
    assert not differences(found, whole(**settings))


def test_batches_left_out_are_not_read(tmp_path):
    read = []

    class Counted(Images):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    settings = dict(train_dataloader__dataset=Counted(), val_cfg=None)
    settings |= dict(val_dataloader=None, val_evaluator=None)
    settings |= dict(default_hooks__checkpoint__save_best=None)
    train(tmp_path, Stop(10, signal.SIGTERM), Stop(22, signal.SIGTERM), **settings)
    assert len(read) == 4 * 24


@pytest.mark.parametrize('stops', [[Stop(8, signal.SIGTERM)], [Stop(9)], [Stop(14)]])
def test_early_stopping_waits_as_long(tmp_path, stops):
    """transformers#19300: patience begins anew with every resume."""
    wait = dict(type='EarlyStoppingHook', monitor='toy/mean', rule='less')
    wait |= dict(patience=2, min_delta=100.0)
    settings = {'custom_hooks': [wait], 'train_cfg__max_epochs': 6}
    expected = train(tmp_path / 'whole', **settings)
    assert any(content['position']['epoch'] == 3 for content in expected.values())
    found = train(tmp_path / 'stopped', *stops, **settings)
    assert not differences(found, expected)
    runner = toy(tmp_path / 'stopped', resume=True, **settings)
    runner.train()
    assert runner.iter == 18  # it had ended


def test_hooks_keep_what_they_ask_to(tmp_path):
    class Counter(Hook):
        count = 0

        def after_train_iter(self, *_, **__):
            self.count += 1

        def state_dict(self):
            return {'count': self.count}

        def load_state_dict(self, state):
            self.count = state['count']

    hook = Counter()
    for again, stop in ((False, Stop(10, signal.SIGTERM)), (True, None)):
        runner = toy(tmp_path, resume=again)
        hook = Counter()
        runner.register_hook(hook)
        if stop is None:
            runner.train()
            continue
        runner.register_hook(stop)
        with pytest.raises(SystemExit, match='Interrupted'):
            runner.train()
    assert hook.count == runner.iter == 24


def _two_processes(folder):
    settings = {
        'launcher': 'pytorch',
        'val_cfg': None,
        'val_dataloader': None,
        'val_evaluator': None,
        'default_hooks__checkpoint__save_best': None,
        'cfg': {
            'model_wrapper_cfg': {
                'type': 'MMDistributedDataParallel',
                'device_ids': None,
                'broadcast_buffers': False,
            },
        },
    }
    rank = torch.distributed.get_rank()

    def stop(at):
        # Only the second process is told; both must stop after the same iteration.
        return Stop(at, signal.SIGTERM if rank else 0)

    own = []
    for name, stops in (('whole', []), ('stopped', [stop(2), stop(7)])):
        for number, hook in enumerate([*stops, None]):
            again = {'resume': True} if number else {}
            runner = toy(folder / name, **settings, **again)
            if hook:
                runner.register_hook(hook)
            if hook is None:
                runner.train()
                continue
            with pytest.raises(SystemExit, match='Interrupted') as raised:
                runner.train()
            assert raised.value.code == 75
            # One later, as the processes agree during the next iteration.
            assert runner.iter == hook.at + 1
        own.append(runner.model.module.state_dict())
    return differences(own[0], own[1]), int(runner.iter)


@pytest.mark.dist
def test_two_processes(tmp_path):
    results = gloo.run(_two_processes, tmp_path)
    # Statistics of batch normalisation are each process's own.
    assert results == [([], 12), ([], 12)]
    assert not differences(state(tmp_path / 'stopped'), state(tmp_path / 'whole'))
