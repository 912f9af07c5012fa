import math

import pytest
from mmengine.hooks import Hook
from torch import nn
from toy_runner import Recorder, ToyModel, scalars, toy_runner

from msbreg_mm.engine.hooks import LossWeightScheduleHook
from msbreg_mm.models.losses import BrownianDiffusiveLoss


class Weights(Hook):
    """Keeps the weight that each iteration was computed with."""

    priority = 'LOWEST'

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.seen.append(runner.model.head.brownian.loss_weight)


def model():
    toy = ToyModel()
    toy.head = nn.Module()
    toy.head.brownian = BrownianDiffusiveLoss(loss_weight=0.7)
    return toy


def train(folder, hook, **settings):
    weights = Weights()
    runner = toy_runner(folder, hook, weights, model=model(), **settings)
    runner.train()
    return weights.seen


def test_linear_from_the_modules_own_weight(tmp_path):
    seen = train(tmp_path, LossWeightScheduleHook('head.brownian', end=0.0))
    assert seen == pytest.approx([0.7 * (7 - i) / 7 for i in range(8)])
    logged = [line['brownian_weight'] for line in scalars(tmp_path) if 'lr' in line]
    assert logged == pytest.approx(seen)


def test_cosine_between_begin_and_finish(tmp_path):
    hook = LossWeightScheduleHook(
        'head.brownian', start=0.2, end=1.0, form='cosine', begin=0.25, finish=0.75
    )
    seen = train(tmp_path, hook)
    expected = []
    for i in range(8):
        p = min(max((i / 7 - 0.25) / 0.5, 0), 1)
        expected.append(1.0 + (0.2 - 1.0) * (1 + math.cos(math.pi * p)) / 2)
    assert seen == pytest.approx(expected)
    assert seen[:2] == [0.2, 0.2]
    assert seen[-2:] == pytest.approx([1.0, 1.0])


def test_resumed_run_goes_on(tmp_path):
    arguments = {'module': 'head.brownian', 'end': 0.0, 'start': 1.0}
    whole = train(tmp_path / 'whole', LossWeightScheduleHook(**arguments))
    weights = Weights()
    hooks = LossWeightScheduleHook(**arguments), weights
    with pytest.raises(KeyboardInterrupt):
        toy_runner(tmp_path, *hooks, Recorder(stop_after=1), model=model()).train()
    rest = train(tmp_path, LossWeightScheduleHook(**arguments), resume=True)
    assert [*weights.seen, *rest] == pytest.approx(whole)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ({'end': -0.1}, 'end must be a finite weight of at least 0, got -0.1'),
        ({'end': 1, 'start': math.inf}, 'start must be a finite weight'),
        ({'end': 1, 'form': 'step'}, "form must be one of .*got 'step'"),
        ({'end': 1, 'begin': 0.5, 'finish': 0.5}, 'begin < finish'),
        ({'end': 1, 'finish': 1.5}, 'finish=1.5'),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        LossWeightScheduleHook('head.brownian', **arguments)


@pytest.mark.parametrize('name', ['head.brownain', 'backbone'])
def test_module_without_a_weight(tmp_path, name):
    match = rf"no module '{name}' with a loss_weight .* it has \['head.brownian'\]"
    with pytest.raises(ValueError, match=match):
        train(tmp_path, LossWeightScheduleHook(name, end=0.0))
