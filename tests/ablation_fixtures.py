"""A small ablation around a fake trainer."""

import sys
from pathlib import Path

import pytest

FAKE = Path(__file__).with_name('fake_ablation_trainer.py')
BASE = """
head = dict(weight=0.1, term=dict(form='a'))
model = dict(type='Nothing', fate='ok', gain=2.0, head=head)
optim_wrapper = dict(optimizer=dict(lr=0.1))
custom_hooks = [dict(type='EMA', momentum=0.9)]
param_scheduler = [
    dict(type='LinearLR', by_epoch=True, begin=0, end=1),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=3, T_max=2),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3)
train_dataloader = dict(batch_size=4, dataset=dict(data_root='data/x/'))
"""
TASK = """
transfer = dict(
    protocol='tiny probe',
    description='nothing',
    metrics=[('knn/top1', '20-NN', 1), ('geometry/effective_rank', 'rank', 1)],
)
model = dict(type='Probe')
train_cfg = dict(type='Loop', max_epochs=1)
train_dataloader = dict(batch_size=4, dataset=dict())
val_dataloader = dict(batch_size=4, dataset=dict())
val_evaluator = dict(type='Evaluator')
"""


@pytest.fixture
def command():
    return (sys.executable, str(FAKE))


@pytest.fixture
def write_ablation(tmp_path):
    """Write base, task and an ablation; the text goes into ``ablation = dict(…)``."""
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'probe_tiny.py').write_text(TASK)

    def write(text, tail="base='base.py', tasks=['probe_tiny.py'], ", before=''):
        path = tmp_path / 'study.py'
        path.write_text(f'{before}\nablation = dict({tail}{text})\n')
        return path

    return write
