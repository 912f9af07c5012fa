import logging
import math
from pathlib import Path
from typing import Any

import gloo
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from toy_runner import ToyModel, scalars, toy_runner

from msbreg_mm.engine.hooks import EmbeddingCollapseError, EmbeddingMonitorHook
from msbreg_mm.evaluation import summarize
from msbreg_mm.runs.folder import find_resumable

SPREAD = torch.eye(3).expand(2, 3, 3)  # two views of three orthogonal images
POINT = torch.eye(3)[0].expand(2, 3, 3)  # all images in one point
NAMES = {
    'effective_rank': 'effective_rank',
    'largest_share': 'largest_singular_value_share',
    'uniformity': 'uniformity',
    'alignment': 'alignment',
    'std': 'embedding_std',
}


class Fixed(nn.Module):
    """Gives the next of some outputs at each call, and the last ever after."""

    def __init__(self, *outputs: Any) -> None:
        super().__init__()
        self.outputs = list(outputs)

    def forward(self, x: Tensor) -> Any:
        return self.outputs.pop(0) if len(self.outputs) > 1 else self.outputs[0]


class Watched(ToyModel):
    """Calls ``embeddings`` for its side effect only; counts attached hooks."""

    def __init__(self, *outputs: Any, calls: int = 1) -> None:
        super().__init__()
        self.embeddings = Fixed(*outputs)
        self.calls = calls
        self.attached: list[int] = []

    def forward(self, inputs: list[Tensor], mode: str = 'loss') -> dict[str, Tensor]:
        x = torch.stack(inputs)
        self.attached.append(len(self.embeddings._forward_hooks))
        for _ in range(self.calls):
            self.embeddings(x)
        return {'loss': self.backbone(x).square().mean()}


def _monitor(**arguments: Any) -> EmbeddingMonitorHook:
    return EmbeddingMonitorHook(**{'interval': 1, 'module': 'embeddings', **arguments})


def _run(tmp_path: Path, model: nn.Module, hook: EmbeddingMonitorHook) -> Runner:
    runner = toy_runner(tmp_path, hook, model=model)
    runner.train()
    return runner


def test_hand_computed_figures_are_logged(tmp_path: Path) -> None:
    _run(tmp_path, Watched(SPREAD, POINT), _monitor())
    spread, point, *_ = scalars(tmp_path)
    # Three equal singular values; squared distances between images are 2.
    assert spread['effective_rank'] == pytest.approx(3)
    assert spread['largest_singular_value_share'] == pytest.approx(1 / 3)
    assert spread['uniformity'] == pytest.approx(-4)
    assert spread['alignment'] == pytest.approx(0)
    assert spread['embedding_std'] == pytest.approx(math.sqrt(2) / 3)
    # One singular value; all distances 0.
    assert point['effective_rank'] == pytest.approx(1)
    assert point['largest_singular_value_share'] == pytest.approx(1)
    assert point['uniformity'] == pytest.approx(0)
    assert point['embedding_std'] == pytest.approx(0)


def test_length_and_precision_do_not_matter(tmp_path: Path) -> None:
    _run(tmp_path, Watched((7 * SPREAD).half()), _monitor())
    assert scalars(tmp_path)[0]['effective_rank'] == pytest.approx(3)


def test_nothing_is_attached_between_readings(tmp_path: Path) -> None:
    model = Watched(SPREAD)
    runner = _run(tmp_path, model, _monitor(interval=3))
    assert model.attached == [0, 0, 1, 0, 0, 1, 0, 0]
    assert not model.embeddings._forward_hooks
    log = [line.get('effective_rank') for line in scalars(tmp_path)]
    assert log[:2] == [None, None]
    assert log[2] == pytest.approx(3)
    assert len(runner.message_hub.get_scalar('train/effective_rank').data[0]) == 2


@pytest.mark.parametrize('wrap', [lambda z: z, lambda z: (z,), lambda z: [z, None]])
def test_views_from_separate_calls(tmp_path: Path, wrap: Any) -> None:
    """As from the neck of BYOL: one call and one tuple per view."""
    rng = torch.Generator().manual_seed(0)
    views = nn.functional.normalize(torch.randn(2, 5, 4, generator=rng), dim=-1)
    model = Watched(*(wrap(view) for view in views), calls=2)
    toy_runner(tmp_path, _monitor(), model=model, epochs=1).train()
    first = scalars(tmp_path)[0]
    for name, value in summarize(views).items():
        if name in NAMES:
            assert first[NAMES[name]] == pytest.approx(value, rel=1e-5), name


def test_one_view_has_no_alignment(tmp_path: Path) -> None:
    _run(tmp_path, Watched(SPREAD[0]), _monitor())
    assert 'alignment' not in scalars(tmp_path)[0]


def test_a_reading_is_bounded(tmp_path: Path) -> None:
    _run(tmp_path, Watched(SPREAD), _monitor(max_samples=2))
    assert scalars(tmp_path)[0]['effective_rank'] == pytest.approx(2)


def _warnings(tmp_path: Path, model: nn.Module, hook: Any, caplog: Any) -> list[str]:
    runner = toy_runner(tmp_path, hook, model=model)
    runner.logger.addHandler(caplog.handler)
    runner.logger.setLevel(logging.WARNING)
    runner.train()
    return [r.getMessage() for r in caplog.records if 'COLLAPSED' in r.getMessage()]


def test_collapse_is_said_loudly_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = _monitor(min_effective_rank=0.5, patience=3)
    outputs = [SPREAD, POINT, POINT, SPREAD, POINT]
    messages = _warnings(tmp_path, Watched(*outputs), hook, caplog)
    # Readings 2, 3, then a recovery, then 5 to 8: the third in a row is the 7th.
    assert len(messages) == 2
    assert 'at iteration 7: effective rank 1.00 of 3 (threshold 1.50)' in messages[0]
    assert '3 readings in a row' in messages[0]
    assert 'weight of the singular value loss' in messages[0]
    assert hook.collapsed_readings == 6
    assert scalars(tmp_path)[-1]['collapsed_readings'] == 6


def test_small_deviation_alone_is_a_collapse(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = _monitor(min_effective_rank=0, min_std=0.5, patience=1)
    assert len(_warnings(tmp_path, Watched(POINT), hook, caplog)) == 8


def test_spread_embeddings_are_no_collapse(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = _monitor(min_effective_rank=0.9, min_std=0.5, patience=1)
    assert not _warnings(tmp_path, Watched(SPREAD), hook, caplog)
    assert hook.collapsed_readings == 0


def test_stop_saves_the_network_and_ends_the_run(tmp_path: Path) -> None:
    hook = _monitor(min_effective_rank=0.5, patience=2, stop_on_collapse=True)
    model = Watched(*[SPREAD] * 4, POINT)
    runner = toy_runner(tmp_path, hook, model=model)
    with pytest.raises(EmbeddingCollapseError, match=r'iteration 6.*collapsed_iter_6'):
        runner.train()
    saved = torch.load(tmp_path / 'collapsed_iter_6.pth', weights_only=False)
    assert saved['meta']['iter'] == 6
    torch.testing.assert_close(saved['state_dict'], dict(model.state_dict()))
    # Resuming goes on from the last regular checkpoint.
    assert find_resumable(tmp_path) == tmp_path / 'epoch_1.pth'


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_not_finite(tmp_path: Path, value: float) -> None:
    bad = SPREAD.clone()
    bad[1, 2, 0] = value
    runner = toy_runner(tmp_path, _monitor(), model=Watched(SPREAD, bad))
    with pytest.raises(FloatingPointError, match=r"'embeddings' hold .* iteration 2;"):
        runner.train()


class _NoCall(ToyModel):
    def forward(self, inputs: list[Tensor], mode: str = 'loss') -> dict[str, Tensor]:
        return {'loss': self.backbone(torch.stack(inputs)).square().mean()}


@pytest.mark.parametrize(
    ('model', 'module', 'message'),
    [
        (ToyModel(), 'head.embeddings', r"no module 'head\.embeddings'.*'backbone'"),
        (_NoCall(), 'embeddings', 'no call in this iteration'),
        (Watched(torch.ones(3)), 'embeddings', r'\(K, N, D\).*got \(3,\)'),
        (Watched({'z': SPREAD}), 'embeddings', "got <class 'dict'>"),
        (Watched(SPREAD[0], SPREAD[0, :2], calls=2), 'embeddings', 'one shape'),
    ],
)
def test_modules_that_cannot_be_read(
    tmp_path: Path, model: nn.Module, module: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _run(tmp_path, model, _monitor(module=module))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'interval': 0}, 'interval must be at least 1, got 0'),
        ({'patience': 0}, 'patience must be at least 1'),
        ({'max_samples': 1}, 'max_samples must be at least 2'),
        ({'min_effective_rank': 1.5}, r'min_effective_rank must be in \[0, 1\]'),
        ({'min_std': -1}, r'min_std must be in \[0, 1\]'),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _monitor(**arguments)


def _images(rank: int) -> Tensor:
    """Views of one rank; the second rank has one image more."""
    rng = torch.Generator().manual_seed(rank)
    z = torch.randn(2, 4 + rank, 6, generator=rng)
    return nn.functional.normalize(z, dim=-1)


class _Figures(Hook):
    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        names = NAMES.values()
        hub = runner.message_hub
        self.figures = {n: hub.get_scalar(f'train/{n}').current() for n in names}


def _figures_of_rank(folder: Path) -> dict[str, float]:
    figures = _Figures()
    runner = toy_runner(
        folder,
        _monitor(),
        figures,
        model=Watched(_images(torch.distributed.get_rank())),
        launcher='pytorch',
        cfg={
            'model_wrapper_cfg': {
                'type': 'MMDistributedDataParallel',
                'device_ids': None,
                'find_unused_parameters': True,
            }
        },
    )
    runner.train()
    return figures.figures


@pytest.mark.dist
def test_two_processes_read_all_images(tmp_path: Path) -> None:
    ranks = gloo.run(_figures_of_rank, tmp_path)
    whole = summarize(torch.cat([_images(0), _images(1)[:, :4]], dim=1))
    for figures in ranks:
        for name, key in NAMES.items():
            assert figures[key] == pytest.approx(whole[name], rel=1e-5), name
