"""tools/train.py and tools/test.py on a detector and a tiny generated set."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from msbreg_mm.datasets.shapes import generate_shapes

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'


def call(tool, *arguments, code=0):
    run = subprocess.run(
        [sys.executable, f'tools/{tool}.py', CONFIG, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout + run.stderr


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A data set and the work directory of one epoch on it."""
    root = tmp_path_factory.mktemp('tiny')
    generate_shapes(
        root / 'data', num_unlabelled=0, num_train=8, num_val=4, progress=False
    )
    log = call(
        'train', '--work-dir', root / 'work', '--checkpoint', 'random', '--seed', 1,
        '--cfg-options', f'data_root={root / "data"}', 'train_cfg.max_epochs=1',
        'train_cfg.val_interval=1',
    )  # fmt: skip
    assert 'OneDL' not in log
    assert 'not compiled' not in log
    return root


def test_score_equals_the_validation_of_training(trained):
    out = trained / 'metrics.json'
    call(
        'test', trained / 'work' / 'epoch_1.pth', '--out', out,
        '--work-dir', trained / 'test', '--cfg-options', f'data_root={trained}/data',
    )  # fmt: skip
    (scalars,) = (trained / 'work').glob('*/vis_data/scalars.json')
    last = json.loads(scalars.read_text().splitlines()[-1])
    metrics = json.loads(out.read_text())
    assert metrics['coco/bbox_mAP'] == last['coco/bbox_mAP']
    assert metrics['coco/segm_mAP'] == last['coco/segm_mAP']


def test_weights_of_another_model_are_refused(trained):
    log = call(
        'test', trained / 'work' / 'epoch_1.pth', '--work-dir', trained / 'other',
        '--cfg-options', f'data_root={trained}/data', 'model.neck.out_channels=16',
        code=2,
    )  # fmt: skip
    assert 'epoch_1.pth does not fit configs/demo/mask-rcnn_r18' in log
    assert 'size mismatch for neck.lateral_convs.0.conv.weight' in log
    assert 'Traceback' not in log


def test_truncated_weights_are_named(trained):
    cut = trained / 'cut.pth'
    cut.write_bytes((trained / 'work' / 'epoch_1.pth').read_bytes()[:5000])
    log = call(
        'test', cut, '--work-dir', trained / 'other', '--cfg-options',
        f'data_root={trained}/data', code=2,
    )  # fmt: skip
    assert log.strip().splitlines()[-1].startswith(f'error: {cut} is truncated')
    assert 'Traceback' not in log
