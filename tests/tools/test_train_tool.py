"""tools/train.py on the headline config and an ImageNet-style folder of any images."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
HEADLINE = 'configs/msbreg_r50_imagenet.py'
# The same config, small enough for a test that starts processes.
SMALL = (
    'model.backbone.depth=18',
    'model.backbone.stem_channels=8',
    'model.backbone.base_channels=8',
    'model.neck.in_channels=64',
    'model.neck.hid_channels=32',
    'model.neck.out_channels=16',
)
SHORT = (
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'default_hooks.logger.interval=1',
)


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Images of several sizes and modes below train/, as users have them."""
    root = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for index, mode in enumerate(['RGB'] * 5 + ['L', 'CMYK', 'RGB']):
        folder = root / 'train' / f'class{index % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (90 + 30 * index, 260, 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f'{index}.jpg')
    return root


def train(images, work_dir, *options, flags=(), processes=1):
    command = [sys.executable]
    if processes > 1:
        command += ['-m', 'torch.distributed.run', '--standalone']
        command += [f'--nproc_per_node={processes}']
        flags = (*flags, '--launcher', 'pytorch')
    command += ['tools/train.py', HEADLINE, '--work-dir', str(work_dir), *flags]
    command += ['--cfg-options', f'data_root={images}', *SHORT, *options]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout + run.stderr


def scalars(work_dir):
    (path,) = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))[-1:]
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_train_then_resume(images, tmp_path):
    log = train(images, tmp_path, *SMALL, 'train_cfg.max_epochs=1', flags=['--amp'])
    assert 'CPUAmpOptimWrapper' in log or 'AmpOptimWrapper' in log
    rows = scalars(tmp_path)
    assert [row['iter'] for row in rows] == [1, 2]
    for term in ('loss_centroid', 'loss_singular_value', 'loss_brownian'):
        assert all(np.isfinite(row[term]) for row in rows)
    assert 'requires_grad' not in log
    assert 'will be deprecated' not in log

    train(images, tmp_path, *SMALL, 'train_cfg.max_epochs=2', flags=['--resume'])
    rows = scalars(tmp_path)
    assert [row['iter'] for row in rows] == [3, 4]
    assert (tmp_path / 'epoch_2.pth').is_file()


@pytest.mark.dist
def test_two_processes(images, tmp_path):
    train(images, tmp_path, *SMALL, 'train_cfg.max_epochs=1', processes=2)
    rows = scalars(tmp_path)
    assert [row['iter'] for row in rows] == [1]  # 8 images = 2 processes x 4


@pytest.mark.slow
def test_headline_config_unchanged(images, tmp_path):
    log = train(images, tmp_path, 'train_cfg.max_epochs=1')
    assert [row['iter'] for row in scalars(tmp_path)] == [1, 2]
    assert 'Saving checkpoint at 1 epochs' in log


def test_error_is_short_and_names_the_folder(tmp_path):
    command = [sys.executable, 'tools/train.py', HEADLINE, '--cfg-options']
    command += [f'data_root={tmp_path}/nothing']
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    (line,) = run.stderr.strip().splitlines()
    assert line.startswith('error: train_dataloader: data_root')
    assert 'nothing' in line
    assert 'does not exist' in line


@pytest.mark.parametrize('processes', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_terminated_training_saves_and_goes_on(images, tmp_path, processes):
    command, flags = [sys.executable], []
    if processes > 1:
        command += ['-m', 'torch.distributed.run', '--standalone']
        command += [f'--nproc_per_node={processes}']
        flags = ['--launcher', 'pytorch']
    command += ['tools/train.py', HEADLINE, '--work-dir', str(tmp_path), *flags]
    options = [*SMALL, 'train_dataloader.batch_size=2']
    log = tmp_path / 'log.txt'
    with log.open('wb') as stream:
        process = subprocess.Popen(
            [*command, '--cfg-options', f'data_root={images}', *SHORT, *options],
            cwd=ROOT,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        while process.poll() is None and b'Epoch(train)' not in log.read_bytes():
            time.sleep(0.05)
        process.terminate()
        code = process.wait(timeout=60)
    finally:
        process.kill()
    text = log.read_text()
    assert 'Interrupted by SIGTERM' in text, text[-3000:]
    if processes == 1:
        assert code == 75
        assert 'Traceback' not in text
    # torchrun has an exit code of its own: the file tells it.
    noted = json.loads((tmp_path / 'interrupted.json').read_text())
    stopped = noted['iteration']
    assert noted['signal'] == 'SIGTERM'
    assert (tmp_path / f'iter_{stopped}.pth').is_file()
    end = f'train_cfg.max_epochs={stopped * processes // 4 + 1}'
    train(images, tmp_path, *options, end, flags=('--resume',), processes=processes)
    assert scalars(tmp_path)[0]['iter'] == stopped + 1
    assert not (tmp_path / 'interrupted.json').exists()
