"""A small suite around a fake trainer."""

import sys
from pathlib import Path

import pytest

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.suite.trainer import Trainer

FAKE = Path(__file__).with_name('fake_trainer.py')
CONFIG = """
transfer = dict(
    protocol='{protocol}',
    description='three epochs of nothing',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP', 100)],
)
data_root = 'data/x/'
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=1)
train_dataloader = dict(batch_size=4, dataset=dict(data_root='data/x/'))
val_dataloader = dict(batch_size=1, dataset=dict(data_root='data/x/'))
val_evaluator = dict(type='FasterCocoMetric', metric=['bbox', 'segm'])
model = dict(type='Nothing')
"""


@pytest.fixture
def task_config(tmp_path):
    path = tmp_path / 'tiny-rcnn_shapes.py'
    path.write_text(CONFIG.format(protocol='tiny protocol'))
    return path


@pytest.fixture
def backbone(tmp_path):
    path = tmp_path / 'msbreg.pth'
    path.write_bytes(b'weights')
    return path


@pytest.fixture
def trainer():
    return Trainer(command=(sys.executable, str(FAKE)))


@pytest.fixture
def make_jobs(task_config, backbone, tmp_path):
    def make(seeds=(0, 1), checkpoints=None, options=(), settings=()):
        names = checkpoints or ['random', str(backbone)]
        return plan_jobs(
            [load_task(task_config)], parse_checkpoints(names), seeds,
            tmp_path / 'suite', options, settings,
        )  # fmt: skip

    return make
