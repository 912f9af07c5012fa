"""One real job: tools/train.py trains Mask R-CNN on a few generated images."""

import json

import pytest
from synthetic import CLASSES, write_coco

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.runs.folder import RESULT
from msbreg_mm.runs.record import read_record
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.runner import State, run_suite
from msbreg_mm.suite.tasks import CONFIG_ROOT, load_task
from msbreg_mm.transfer.details import read_details

CONFIG = """
_base_ = [{base!r}]
classes = {classes!r}
train = _base_.train_dataloader.dataset
val = _base_.val_dataloader.dataset
for part in (train, val):
    part.update(data_root={root!r}, ann_file='val.json', data_prefix=dict(img='images'))
    part.update(metainfo=dict(classes=classes))
train_dataloader = dict(dataset=train, batch_size=2, num_workers=0,
                        persistent_workers=False)
val_dataloader = dict(dataset=val, num_workers=0, persistent_workers=False)
val_evaluator = dict(ann_file={root!r} + '/val.json')
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=2), mask_head=dict(num_classes=2))
)
train_cfg = dict(max_epochs=2, val_interval=1)
transfer = dict(protocol='two epochs of nothing')
"""


@pytest.mark.slow
def test_real_job_and_a_final_validation_that_was_lost(tmp_path):
    write_coco(tmp_path / 'data', images=6)
    base = CONFIG_ROOT / 'demo' / 'mask-rcnn_r18-w16-fpn_14e_shapes.py'
    config = tmp_path / 'mask-rcnn_tiny.py'
    config.write_text(
        CONFIG.format(base=str(base), classes=CLASSES, root=str(tmp_path / 'data'))
    )
    suite = tmp_path / 'suite'
    jobs = plan_jobs([load_task(config)], parse_checkpoints(['random']), [0], suite)
    (status,) = run_suite(jobs, suite)
    assert status.state is State.DONE, status.reason
    record = read_record(jobs[0].folder)
    assert record.protocol == 'two epochs of nothing'
    assert record.match_report == {'checkpoint': 'random'}
    assert 'coco/segm_mAP' in record.metrics
    assert set(read_details(jobs[0].folder)) == {'bbox', 'segm'}

    # As if it had been killed between its last checkpoint and its validation.
    (jobs[0].folder / RESULT).unlink()
    (log,) = jobs[0].folder.glob('*/vis_data/scalars.json')
    lines = log.read_text().splitlines()
    assert json.loads(lines[-1])['step'] == 2
    log.write_text('\n'.join(lines[:-1]) + '\n')
    (status,) = run_suite(jobs, suite)
    assert status.state is State.DONE, status.reason
    assert read_record(jobs[0].folder).metrics == record.metrics
