"""Losses and gradients that are not finite end a training, by name."""

import math

import pytest
import torch
from mmengine.structures import BaseDataElement
from toy_runner import PAIR, Recorder, ToyModel, toy_runner

from msbreg_mm.engine.hooks import DivergedError, NonFiniteHook, TargetEMAHook
from msbreg_mm.engine.hooks.non_finite_hook import all_finite, image_paths
from msbreg_mm.utils.errors import InputError


class Bad(ToyModel):
    """Gives NaN in some forward passes: as a loss, or in its gradients alone."""

    def __init__(self, at, value=math.nan, gradients_only=False):
        super().__init__()
        self.at, self.value, self.gradients_only = at, value, gradients_only

    def forward(self, inputs, mode='loss'):
        losses = super().forward(inputs, mode)
        if self.losses not in self.at:
            return losses
        if not self.gradients_only:
            spoiled = losses['loss'] * self.value
            return {'loss_a': spoiled, 'loss_b': losses['loss']}
        weight = self.backbone[0].weight
        weight.register_hook(lambda grad: torch.full_like(grad, self.value))
        return losses


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_loss_is_named_and_the_network_kept(tmp_path, value):
    recorder = Recorder()
    runner = toy_runner(tmp_path, NonFiniteHook(), recorder, model=Bad((3,), value))
    with pytest.raises(DivergedError, match=r'loss_a is (nan|inf)') as raised:
        runner.train()
    text = str(raised.value)
    assert 'iteration 3' in text
    assert 'backbone.0.weight' in text
    assert 'loss_b' not in text
    assert isinstance(raised.value, (InputError, FloatingPointError))
    kept = torch.load(tmp_path / 'nonfinite_iter_3.pth', weights_only=False)
    for key, value in recorder.states[1].items():  # after the last good iteration
        if 'running' not in key and 'num_batches' not in key:
            assert torch.equal(kept['state_dict'][key], value), key
    assert set(kept['meta']['non_finite']['losses']) == {'loss', 'loss_a'}
    assert 'optimizer' in kept
    assert not list(tmp_path.glob('last_checkpoint'))


def test_gradients_alone_are_noticed(tmp_path):
    model = Bad((2,), gradients_only=True)
    with pytest.raises(
        DivergedError, match=r'gradients of backbone.0.weight'
    ) as raised:
        toy_runner(tmp_path, NonFiniteHook(), model=model).train()
    assert 'loss' not in str(raised.value).partition(': ')[2].partition('gradients')[0]


def test_steps_are_left_out_up_to_the_limit(tmp_path):
    recorder = Recorder()
    ema = TargetEMAHook(PAIR, momentum=0.5)
    hook = NonFiniteHook(max_skipped=2)
    runner = toy_runner(tmp_path, hook, ema, recorder, model=Bad((3, 4, 6)))
    runner.train()
    before, first, second, after = recorder.states[1:5]
    for key in before:
        if 'num_batches' not in key and 'running' not in key:
            assert torch.equal(before[key], first[key]), key
            assert torch.equal(before[key], second[key]), key
    assert not torch.equal(second['backbone.0.weight'], after['backbone.0.weight'])
    assert ema.step == 8 - 3
    assert hook.in_a_row == 0


def test_one_more_than_the_limit_ends_it(tmp_path):
    hook = NonFiniteHook(max_skipped=2)
    with pytest.raises(DivergedError, match='iteration 5'):
        toy_runner(tmp_path, hook, model=Bad((3, 4, 5))).train()


def test_statistics_of_a_step_left_out_come_back(tmp_path):
    class Spoiled(ToyModel):
        def forward(self, inputs, mode='loss'):
            if self.losses == 2:
                inputs = [x * math.inf for x in inputs]
            return super().forward(inputs, mode)

    recorder = Recorder()
    toy_runner(
        tmp_path, NonFiniteHook(max_skipped=1), recorder, model=Spoiled()
    ).train()
    for state in recorder.states[3:]:
        assert all(torch.isfinite(value).all() for value in state.values())


def test_accumulated_gradients(tmp_path):
    wrapper = {'accumulative_counts': 2}
    model = Bad((3,), gradients_only=True)
    with pytest.raises(DivergedError, match='iteration 4'):
        toy_runner(
            tmp_path, NonFiniteHook(), model=model, optim_wrapper=wrapper
        ).train()


def test_training_is_the_same_with_and_without(tmp_path):
    states = []
    for name, hooks in (('a', []), ('b', [NonFiniteHook(max_skipped=3)])):
        torch.manual_seed(0)
        recorder = Recorder()
        toy_runner(tmp_path / name, *hooks, recorder).train()
        states.append(recorder.states[-1])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_large_values_are_finite():
    assert all_finite([torch.full((4,), 3e38), torch.zeros(0)])
    assert all_finite([])
    assert not all_finite([torch.zeros(3), torch.tensor([1.0, math.nan])])
    assert not all_finite([torch.tensor([-math.inf])])


def test_files_of_a_batch():
    samples = [BaseDataElement(metainfo={'img_path': f'{i}.jpg'}) for i in range(2)]
    batch = {'inputs': torch.zeros(2), 'data_samples': samples}
    assert list(image_paths(batch)) == ['0.jpg', '1.jpg']
    assert list(image_paths({'inputs': torch.zeros(2)})) == []
    assert list(image_paths({'img_path': ['a.png'], 'x': 'b'})) == ['a.png']


def test_limit_is_checked():
    with pytest.raises(ValueError, match='max_skipped must be at least 0, got -1'):
        NonFiniteHook(max_skipped=-1)
