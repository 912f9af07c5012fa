import itertools
import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gloo
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn
from toy_runner import PAIR, Recorder, ToyModel, scalars, toy_runner

from msbreg_mm.engine.hooks import TargetEMAHook

START = 0.8
STEPS = list(range(1, 9))  # two epochs of 4 iterations


def _hook(**arguments: Any) -> TargetEMAHook:
    return TargetEMAHook(**{'pairs': PAIR, 'momentum': START, **arguments})


def _parameters(state: dict, prefix: str) -> dict:
    names = ('0.weight', '0.bias', '1.weight', '1.bias')
    return {name: state[f'{prefix}.{name}'].double() for name in names}


def _expected_targets(recorder: Recorder, steps_at: list[int]) -> list[dict]:
    """The formula of the docstring, in a loop of its own, in float64."""
    target = _parameters(recorder.start, 'backbone')
    targets = []
    k = 0
    for iteration, state in enumerate(recorder.states, start=1):
        if iteration in steps_at:
            m = 1 - (1 - START) * (1 + math.cos(math.pi * k / len(steps_at))) / 2
            online = _parameters(state, 'backbone')
            target = {n: m * old + (1 - m) * online[n] for n, old in target.items()}
            k += 1
        targets.append(target)
    return targets


def _assert_follows(recorder: Recorder, steps_at: list[int]) -> None:
    assert recorder.states
    targets = _expected_targets(recorder, steps_at)
    for state, expected in zip(recorder.states, targets, strict=True):
        actual = _parameters(state, 'target_backbone')
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def test_target_follows_the_formula(tmp_path: Path) -> None:
    hook, recorder = _hook(), Recorder()
    toy_runner(tmp_path, hook, recorder).train()
    _assert_follows(recorder, STEPS)
    assert (hook.step, hook.total_steps) == (8, 8)
    # Hand-computed: k = 0, then cos(π/2) = 0 half way.
    logged = [line['target_momentum'] for line in scalars(tmp_path)]
    assert logged[0] == START
    assert logged[4] == pytest.approx(0.9)
    assert logged == sorted(logged)


def test_constant_momentum_and_bounds() -> None:
    hook = _hook(momentum=0.7, end_momentum=0.7)
    hook.total_steps = 3
    assert [hook.momentum_at(k) for k in range(4)] == [pytest.approx(0.7)] * 4
    hook = _hook()
    hook.total_steps = 4
    assert hook.momentum_at(0) == START
    assert hook.momentum_at(4) == hook.momentum_at(9) == 1.0


def test_accumulation_moves_once_per_optimizer_step(tmp_path: Path) -> None:
    hook, recorder = _hook(), Recorder()
    wrapper = {'accumulative_counts': 3}
    toy_runner(tmp_path, hook, recorder, optim_wrapper=wrapper).train()
    # mmengine also steps at the last of the 8 iterations.
    assert hook.total_steps == hook.step == 3
    _assert_follows(recorder, [3, 6, 8])


@pytest.fixture
def cpu_amp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mmengine's AMP wrapper run with PyTorch's own scaler for CPUs."""
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    monkeypatch.setattr(f'{module}.GradScaler', lambda: torch.amp.GradScaler('cpu'))
    assert issubclass(OPTIM_WRAPPERS.get('AmpOptimWrapper'), AmpOptimWrapper)


@pytest.mark.usefixtures('cpu_amp')
@pytest.mark.parametrize('fused', [False, True])
def test_skipped_amp_steps_do_not_count(tmp_path: Path, fused: bool) -> None:
    hook, recorder, model = _hook(), Recorder(), ToyModel()
    model.overflow_at = (1, 4, 5)
    optimizer = {'type': 'SGD', 'lr': 0.01, 'fused': fused}
    wrapper = {'type': 'AmpOptimWrapper', 'optimizer': optimizer}
    runner = toy_runner(tmp_path, hook, recorder, model=model, optim_wrapper=wrapper)
    runner.train()
    assert runner.optim_wrapper.loss_scaler.get_scale() == 2.0**16 / 8
    assert (hook.step, hook.total_steps) == (5, 8)
    states = [recorder.start, *recorder.states]
    for iteration, (before, after) in enumerate(itertools.pairwise(states), start=1):
        for name in ('backbone.0.weight', 'target_backbone.0.weight'):
            moved = not torch.equal(before[name], after[name])
            assert moved == (iteration not in model.overflow_at), (iteration, name)


def test_an_optimizer_that_calls_its_parents_step_counts_once(tmp_path: Path) -> None:
    if 'ToyChildSGD' not in OPTIMIZERS:

        @OPTIMIZERS.register_module()
        class ToyChildSGD(torch.optim.SGD):
            def step(self, closure: Any = None) -> Any:
                return super().step(closure)

    torch.optim.SGD([nn.Parameter(torch.zeros(1))])  # wraps the parent's step()
    hook, recorder = _hook(), Recorder()
    wrapper = {'optimizer': {'type': 'ToyChildSGD', 'lr': 0.1}}
    toy_runner(tmp_path, hook, recorder, optim_wrapper=wrapper).train()
    assert hook.step == 8
    _assert_follows(recorder, STEPS)


@pytest.mark.parametrize('accumulation', [1, 2])
def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, accumulation: int
) -> None:
    wrapper = {'accumulative_counts': accumulation}

    def run(folder: str, recorder: Recorder, **settings: Any) -> TargetEMAHook:
        hook = _hook()
        runner = toy_runner(
            tmp_path / folder,
            hook,
            recorder,
            epochs=4,
            optim_wrapper=wrapper,
            **settings,
        )
        runner.train()
        return hook

    whole, second = Recorder(), Recorder()
    run('whole', whole)
    with pytest.raises(KeyboardInterrupt):
        run('cut', Recorder(stop_after=2))
    hook = run('cut', second, resume=True)
    assert hook.step == hook.total_steps == 16 // accumulation
    assert len(second.states) == 8
    for key, value in whole.states[-1].items():
        torch.testing.assert_close(value, second.states[-1][key], rtol=0, atol=0)
    checkpoint = torch.load(tmp_path / 'cut' / 'epoch_2.pth', weights_only=False)
    assert checkpoint['target_ema'] == {
        'step': 8 // accumulation,
        'total_steps': 16 // accumulation,
    }


def test_target_starts_as_an_exact_copy(tmp_path: Path) -> None:
    """After init_weights(), and after load_from with another target."""
    first = Recorder()
    toy_runner(tmp_path / 'a', _hook(), first).train()
    _assert_same_networks(first.start)
    second = Recorder()
    load_from = str(tmp_path / 'a' / 'epoch_2.pth')
    hook = _hook()
    toy_runner(tmp_path / 'b', hook, second, load_from=load_from).train()
    _assert_same_networks(second.start)
    loaded, start = first.states[-1], second.start
    assert torch.equal(loaded['backbone.0.weight'], start['backbone.0.weight'])
    assert not torch.equal(
        loaded['target_backbone.0.weight'], start['target_backbone.0.weight']
    )
    assert hook.step == 8  # a new run counts from 0


def _assert_same_networks(state: dict) -> None:
    for key, value in state.items():
        if key.startswith('backbone.'):
            assert torch.equal(value, state[f'target_{key}']), key


@pytest.mark.parametrize('copy_buffers', [False, True])
def test_buffers_belong_to_the_target_unless_copied(
    tmp_path: Path, copy_buffers: bool
) -> None:
    recorder = Recorder()
    toy_runner(tmp_path, _hook(copy_buffers=copy_buffers), recorder).train()
    state = recorder.states[-1]
    online, target = (
        state[f'{name}.1.running_mean'] for name in ('backbone', 'target_backbone')
    )
    assert torch.equal(online, target) == copy_buffers
    assert not torch.equal(target, recorder.start['backbone.1.running_mean'])


def test_parameters_of_several_types(tmp_path: Path) -> None:
    model = ToyModel()
    model.backbone.extra = nn.Linear(4, 4).double()
    model.target_backbone.extra = nn.Linear(4, 4).double().requires_grad_(False)
    model.backbone.forward = lambda x: (
        nn.Sequential.forward(model.backbone[:2], x)
        + model.backbone.extra.weight.sum().float()
    )
    model.target_backbone.forward = model.target_backbone[:2].forward
    recorder = Recorder()
    toy_runner(tmp_path, _hook(), recorder, model=model).train()
    start, (end, *_) = recorder.start, recorder.states
    expected = START * start['backbone.extra.weight']
    expected += (1 - START) * end['backbone.extra.weight']
    actual = end['target_backbone.extra.weight']
    assert actual.dtype == torch.float64
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


def test_the_optimizer_is_left_alone_after_training(tmp_path: Path) -> None:
    runner = toy_runner(tmp_path, _hook())
    runner.train()
    assert not runner.optim_wrapper.optimizer._optimizer_step_post_hooks


def _train_on_rank(folder: Path) -> tuple[dict, list[dict], int]:
    hook, recorder = _hook(), Recorder()
    runner = toy_runner(
        folder,
        hook,
        recorder,
        launcher='pytorch',
        cfg={
            'model_wrapper_cfg': {
                'type': 'MMDistributedDataParallel',
                'device_ids': None,
                'broadcast_buffers': False,
            },
        },
    )
    runner.train()
    return recorder.start, recorder.states, hook.step


@pytest.mark.dist
def test_two_processes_keep_one_target(tmp_path: Path) -> None:
    ranks = gloo.run(_train_on_rank, tmp_path)
    for start, states, step in ranks:
        assert step == len(states) == 4  # 6 images each in batches of 3, 2 epochs
        recorder = Recorder()
        recorder.start, recorder.states = start, states
        _assert_follows(recorder, [1, 2, 3, 4])
    (_, first, _), (_, second, _) = ranks
    for name in _parameters(first[-1], 'target_backbone'):
        key = f'target_backbone.{name}'
        assert torch.equal(first[-1][key], second[-1][key])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'momentum': -0.1}, r'momentum=-0\.1'),
        ({'momentum': 1.1}, r'momentum=1\.1'),
        ({'momentum': 0.9, 'end_momentum': 0.5}, r'end_momentum=0\.5'),
        ({'momentum': float('nan')}, 'momentum=nan'),
        ({'pairs': []}, 'pairs is empty'),
        ({'pairs': ['ab']}, "got 'ab'"),
        ({'pairs': [('a', 'b', 'c')]}, 'two different module names'),
        ({'pairs': [('neck', 'neck')]}, 'two different module names'),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _hook(**arguments)


def test_a_momentum_of_the_other_convention_is_pointed_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.WARNING)
    _hook(momentum=0.004)
    logger.removeHandler(caplog.handler)
    assert 'did you mean 0.996' in caplog.text


def _broken_model(fault: str) -> ToyModel:
    model = ToyModel()
    target = model.target_backbone
    if fault == 'absent':
        del model.target_backbone
    elif fault == 'names':
        target.append(nn.Linear(4, 4).requires_grad_(False))
    elif fault == 'shape':
        target[0] = nn.Linear(3, 5).requires_grad_(False)
    elif fault == 'type':
        target.double()
    elif fault == 'shared':
        target[0] = model.backbone[0]
    elif fault == 'gradient':
        target.requires_grad_(True)
    return model


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        ('absent', r"no module 'target_backbone'.*it has \['data_preprocessor', 'back"),
        ('names', r"target 'target_backbone' have different.*'2.bias', '2.weight'"),
        ('shape', r'differ in 0\.weight: \(4, 3\) .* against \(5, 3\)'),
        ('type', r'differ in 0\.weight: .*float32 against .*float64'),
        ('shared', r'share 0\.weight'),
        ('gradient', r"0\.weight of target 'target_backbone' requires a gradient"),
    ],
)
def test_pairs_that_do_not_match(tmp_path: Path, fault: str, message: str) -> None:
    runner = toy_runner(tmp_path, _hook(), model=_broken_model(fault))
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_several_optimizers_are_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1)
    wrapper = OptimWrapperDict(a=OptimWrapper(optimizer))
    with pytest.raises(TypeError, match=r"dict of \['a'\]"):
        _hook().before_train(SimpleNamespace(optim_wrapper=wrapper))


def test_resuming_without_a_count_is_refused(tmp_path: Path) -> None:
    toy_runner(tmp_path, epochs=1).train()
    runner = toy_runner(tmp_path, _hook(), resume=True)
    with pytest.raises(ValueError, match='saved without TargetEMAHook'):
        runner.train()


def test_resuming_with_another_length_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toy_runner(tmp_path, _hook(), epochs=1).train()
    hook = _hook()
    runner = toy_runner(tmp_path, hook, epochs=3, resume=True)
    runner.logger.addHandler(caplog.handler)
    runner.logger.setLevel(logging.WARNING)
    runner.train()
    assert 'planned for 4 optimizer steps and resumes with 12' in caplog.text
    assert hook.step == 12
