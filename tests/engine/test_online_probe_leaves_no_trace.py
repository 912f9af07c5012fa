"""Real pretraining with and without the online probe, compared bit by bit."""

import io
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from msbreg_mm.engine.hooks import online_probe_hook
from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions

DEMO = Path(__file__).parents[2] / 'configs' / 'demo'
CONFIG = 'msbreg_resnet18-w16_1xb64-coslr-10e_cifar10'
IMAGES, SIZE = 24, 24


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a colour per class, packed as the demo's data are."""
    root = tmp_path_factory.mktemp('pack')
    for seed, name in enumerate(('train', 'val')):
        rng = np.random.default_rng(seed)
        encoded, labels = [], np.arange(IMAGES) % 3
        for label in labels:
            pixels = rng.integers(0, 200, (SIZE, SIZE, 3), np.uint8)
            pixels[..., label] += 55
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, 'JPEG', quality=95)
            encoded.append(np.frombuffer(buffer.getvalue(), np.uint8))
        offset = np.cumsum([0, *map(len, encoded)])
        np.savez(
            root / f'{name}.npz',
            jpeg=np.concatenate(encoded),
            offset=offset,
            label=labels,
        )
    return root


def train(
    work_dir: Path, data: Path, probe: bool, workers: int = 0, **options: Any
) -> list[dict]:
    """Pretrain for two epochs; return both checkpoints."""
    changes = {
        # mmengine allows one runner of a name in a process
        'experiment_name': str(work_dir),
        'data_root': f'{data}/',
        'log_level': 'ERROR',
        'train_cfg.max_epochs': 2,
        'train_dataloader.batch_size': 8,
        'train_dataloader.num_workers': workers,
        'train_dataloader.persistent_workers': workers > 0,
        'train_dataloader.dataset.pipeline.0.views.0.size': 32,
        'model.backbone.drop_path_rate': 0.2,  # random numbers in the backbone
        **options,
    }
    config = DEMO / (f'{CONFIG}_probe.py' if probe else f'{CONFIG}.py')
    runner = build_runner(
        LaunchOptions(str(config), str(work_dir), seed=3, cfg_options=changes)
    )
    runner.train()
    if probe:
        values = runner.message_hub.get_scalar('probe/knn_top1').data[0]
        assert len(values) == 3
        assert np.isfinite(values).all()
    return [
        torch.load(work_dir / f'epoch_{epoch}.pth', weights_only=False)
        for epoch in (1, 2)
    ]


def tensors(node: Any, path: str = '') -> dict[str, Any]:
    """All leaves of a checkpoint by path."""
    if isinstance(node, dict):
        items: Any = node.items()
    elif isinstance(node, (list, tuple)):
        items = enumerate(node)
    else:
        return {path: node}
    found = {}
    for key, value in items:
        found.update(tensors(value, f'{path}/{key}'))
    return found


def differences(one: dict, other: dict) -> list[str]:
    """Paths that differ in any bit, but for times and the log."""
    parts = sorted(set(one) - {'meta', 'message_hub'})
    assert {'state_dict', 'optimizer', 'param_schedulers', 'target_ema'} <= set(parts)
    first, second = ({p: c[p] for p in parts} for c in (one, other))
    first, second = tensors(first), tensors(second)
    assert list(first) == list(second)
    assert any('target_backbone' in key for key in first)
    assert any('num_batches_tracked' in key for key in first)
    assert any('exp_avg_sq' in key for key in first)
    return [
        key
        for key, value in first.items()
        if (
            not torch.equal(value, second[key])
            if isinstance(value, torch.Tensor)
            else value != second[key]
        )
    ]


def assert_same(one: list[dict], other: list[dict]) -> None:
    for first, second in zip(one, other, strict=True):
        assert differences(first, second) == []
        assert first['meta']['epoch'] == second['meta']['epoch']
        assert first['meta']['iter'] == second['meta']['iter']


@pytest.fixture(scope='module')
def plain(tmp_path_factory: pytest.TempPathFactory, data: Path) -> list[dict]:
    """Checkpoints without the probe."""
    return train(tmp_path_factory.mktemp('plain'), data, probe=False)


def test_no_bit_of_a_checkpoint_changes(
    tmp_path: Path, data: Path, plain: list[dict]
) -> None:
    probed = train(tmp_path / 'probed', data, probe=True)
    assert_same(plain, probed)
    (best,) = (tmp_path / 'probed').glob('best_probe_knn_top1_epoch_*.pth')
    assert best.stat().st_size > 0


def test_this_test_sees_a_trace(
    tmp_path: Path, data: Path, plain: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a part of the isolation missing, the checkpoints differ.

    Random draws of the probe would leave none: the loop starts the generators anew.
    """

    @contextmanager
    def leaky(model: torch.nn.Module, seed: int):
        with isolated(model, seed):
            model.train()  # batch statistics are updated
            yield

    isolated = online_probe_hook.isolated
    monkeypatch.setattr(online_probe_hook, 'isolated', leaky)
    probed = train(tmp_path / 'probed', data, probe=True)
    changed = differences(plain[-1], probed[-1])
    assert any(key.startswith('/state_dict/backbone') for key in changed)


@pytest.mark.slow
@pytest.mark.parametrize('probe_workers', [0, 2])
def test_no_bit_changes_with_workers(
    tmp_path: Path, data: Path, probe_workers: int
) -> None:
    plain = train(tmp_path / 'plain', data, probe=False, workers=2)
    options = {
        f'custom_hooks.2.{name}.num_workers': probe_workers
        for name in ('bank', 'query')
    }
    # Several batches, so that there is work for the probe's workers.
    options |= {f'custom_hooks.2.{name}.batch_size': 5 for name in ('bank', 'query')}
    probed = train(tmp_path / 'probed', data, probe=True, workers=2, **options)
    assert_same(plain, probed)
