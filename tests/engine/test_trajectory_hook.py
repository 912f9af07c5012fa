"""Trajectories: recorded without a trace in the training, resumed, drawn."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from msbreg_mm.analysis.run import draw
from msbreg_mm.analysis.trajectory import read_run
from msbreg_mm.analysis.trajectory_figure import image_cosines, view_variances
from msbreg_mm.engine.hooks import TrajectoryHook
from msbreg_mm.engine.launch import build_runner
from msbreg_mm.evaluation.trajectory import FILE, Trajectory, load_trajectory
from msbreg_mm.runs.config import LaunchOptions
from msbreg_mm.utils.errors import OptionError

CONFIG = """
_base_ = ['{configs}/demo/msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py']
model = dict(backbone=dict(stem_channels=8, base_channels=8),
             neck=dict(in_channels=64, hid_channels=16, out_channels=8))
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(_delete_=True, type='msbreg_mm.InMemoryImages',
                 data_root={root!r}, data_prefix='images', with_label=False, pipeline=[
        dict(type='msbreg_mm.MultiViewAugment', views=[dict(num_views=2, size=32)]),
        dict(type='PackInputs')]))
data_root = {root!r}
train_cfg = dict(max_epochs=2)
param_scheduler = None
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))
hook = [dict(type='msbreg_mm.TrajectoryHook', num_images=3, num_views=2)]
custom_hooks = [*_base_.custom_hooks, *({use} * hook)]
"""


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Train two epochs with the hook and without; resume a third run."""
    from pathlib import Path

    root = tmp_path_factory.mktemp('trajectory')
    (root / 'images').mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(root / 'images' / f'{index}.png')
    configs = Path(__file__).parents[2] / 'configs'

    def train(name, use, epochs=2, **flags):
        config = root / f'{name}.py'
        config.write_text(CONFIG.format(configs=configs, root=str(root), use=use))
        options = {
            'experiment_name': f'{name}-{epochs}-{root.name}',
            'train_cfg.max_epochs': epochs,
        }
        build_runner(
            LaunchOptions(
                str(config), work_dir=str(root / name), seed=3, cfg_options=options,
                **flags,
            )
        ).train()  # fmt: skip
        return root / name

    train('resumed', 1, epochs=1)
    shutil.copy(root / 'resumed' / FILE, root / 'before.npz')
    return {
        'with': train('with', 1),
        'without': train('without', 0),
        'resumed': train('resumed', 1, resume='auto'),
        'before': root / 'before.npz',
    }


def weights(folder, epoch=2):
    return torch.load(folder / f'epoch_{epoch}.pth', weights_only=False)['state_dict']


def test_training_is_bit_identical_with_and_without(runs):
    ours, theirs = weights(runs['with']), weights(runs['without'])
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key
    assert not (runs['without'] / FILE).exists()


def test_records_start_and_every_epoch_as_unit_vectors(runs):
    found = load_trajectory(runs['with'] / FILE)
    assert found.embeddings.shape == (3, 2, 3, 8)
    assert (found.times.tolist(), found.unit) == ([0, 1, 2], 'epoch')
    assert found.labels.tolist() == [-1] * 3
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=-1), 1, rtol=1e-5)
    assert np.abs(np.diff(found.embeddings, axis=0)).max() > 1e-3


def test_checkpoints_tell_the_same_as_the_hook(runs):
    hook = load_trajectory(runs['with'] / FILE)
    kept = read_run(runs['without'], num_images=3, num_views=2)
    assert kept.times.tolist() == [1, 2]
    np.testing.assert_allclose(kept.embeddings, hook.embeddings[1:], atol=1e-5)


def test_resumed_run_goes_on_with_the_record(runs):
    before = load_trajectory(runs['before'])
    after = load_trajectory(runs['resumed'] / FILE)
    assert before.times.tolist() == [0, 1]
    assert after.times.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(before.embeddings, after.embeddings[:2])


def test_drawing(runs, tmp_path, capsys):
    out = tmp_path / 'trajectory.svg'
    draw(str(out), str(runs['with']))
    text = out.read_text()
    for part in ('epoch 0', 'epoch 2', '3 of 8 dimensions', 'variance of views'):
        assert part in text
    with pytest.raises(OptionError, match=r'written as \.svg, got a\.png'):
        draw('a.png', str(runs['with']))
    draw(str(tmp_path / 'free.svg'), None, steps=3)
    assert 'Brownian force' in (tmp_path / 'free.svg').read_text()


def test_measures_agree_with_pairs():
    rng = torch.Generator().manual_seed(0)
    z = F.normalize(torch.randn(4, 2, 5, 6, generator=rng), dim=-1)
    moved = Trajectory(z.numpy(), np.arange(4), 'epoch', np.full(5, -1))
    cosines = z @ z.mT
    expected = (cosines.sum((2, 3)) - 5) / 20
    np.testing.assert_allclose(image_cosines(moved), expected.mean(1), rtol=1e-5)
    # For two views the variance is a quarter of the squared distance.
    apart = (z[:, 0] - z[:, 1]).square().sum(-1).mean(-1) / 4
    np.testing.assert_allclose(view_variances(moved), apart, rtol=1e-5)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match='num_images must be at least 2, got 1'):
        TrajectoryHook(num_images=1)
    with pytest.raises(FileNotFoundError, match=r'0 checkpoints.*TrajectoryHook'):
        read_run(tmp_path)
    (tmp_path / FILE).write_bytes(b'no zip')
    with pytest.raises(ValueError, match=f'{FILE} is no trajectory'):
        read_run(tmp_path)
    np.savez(tmp_path / FILE, embeddings=np.zeros((2, 3)), times=[0, 1], unit='epoch',
             labels=[0])  # fmt: skip
    with pytest.raises(ValueError, match=r'shape \(2, 3\) for 2 times'):
        read_run(tmp_path)
