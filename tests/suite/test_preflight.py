"""What a suite's jobs would meet is said before the first one starts."""

import pytest
import torch
from fake_class_data import write_images

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.suite.inspection import inspect
from msbreg_mm.suite.metric_names import missing_metrics
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.preflight import preflight
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.suite.trainer import Trainer

CONFIG = """
_base_ = ['{configs}/demo/finetune_r18-w16_30e_flowers17.py']
model = dict(head=dict(num_classes={classes}))
transfer = dict(protocol='tiny', metrics=[('{metric}', 'top-1', 1)])
train_dataloader = dict(batch_size=2)
val_evaluator = [dict(type='Accuracy', topk=(1,))]
visualizer = dict(name='visualizer')  # as mmdet's: mmengine keeps one of a name
auto_scale_lr = dict(base_batch_size=2)
"""


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    for split in ('train', 'val'):
        names = [f'{name}/{{n}}.jpg' for name in ('a', 'b', 'c')]
        write_images(root / split, names, each=2)
    return root


@pytest.fixture
def look(tmp_path, data, pytestconfig):
    """Write configs and checkpoints, plan a suite and look at it."""

    def run(tasks, checkpoints, root=data):
        configs = []
        for name, changes in tasks.items():
            text = CONFIG.format(
                **{
                    'configs': pytestconfig.rootpath / 'configs',
                    'classes': 3,
                    'metric': 'accuracy/top1',
                }
                | changes
            )
            configs.append(tmp_path / f'{name}.py')
            configs[-1].write_text(text)
        for name, state in checkpoints.items():
            torch.save(state, tmp_path / f'{name}.pth')
        refs = parse_checkpoints(
            ['random', *(str(tmp_path / f'{name}.pth') for name in checkpoints)]
        )
        options = [f'data_root={root}']
        jobs = plan_jobs(
            list(map(load_task, configs)), refs, [0, 1], tmp_path / 'suite', options
        )
        seen = []
        trainer = Trainer(cfg_options=tuple(options))
        found = preflight(jobs, trainer, tmp_path / 'suite', seen.append)
        return found, seen

    return run


def state_of(base_channels):
    from mmpretrain.models import ResNet

    model = ResNet(18, stem_channels=base_channels, base_channels=base_channels)
    return model.state_dict()


def test_all_mistakes_in_one_look(look):
    found, seen = look(
        {
            'good': {},
            'metric': {'metric': 'accuracy/top_1'},
            'classes': {'classes': 5},
        },
        {'fits': state_of(16), 'wide': state_of(64), 'other': {'state_dict': {}}},
    )
    reasons = {(p.task, p.checkpoint): p.reason for p in found.problems}
    assert {key for key in reasons if key[1] == 'fits'} == set()
    assert "'accuracy/top_1', which no evaluator" in reasons['metric', '']
    assert 'num_classes=5' in reasons['classes', '']
    for task in ('good', 'metric', 'classes'):
        assert 'backbone is resnet18-c16' in reasons[task, 'wide']
        assert 'other.pth' in reasons[task, 'other']
    assert len(reasons) == 8
    # Seeds share what is looked at: three tasks and three files.
    assert len(seen) == 6
    assert 18 * 1e5 < found.bytes_needed < 1e9


def test_absent_data_are_named(tmp_path, pytestconfig):
    config = pytestconfig.rootpath / 'configs/demo/finetune_r18-w16_30e_flowers17.py'
    task = {'config': str(config), 'metrics': [], 'checkpoints': [['r', 'random']]}
    request = {
        'tasks': {'good': task}, 'settings': [], 'flags': [],
        'options': [f'data_root={tmp_path / "absent"}'],
    }  # fmt: skip
    problems = [answer[1:] for answer in inspect(request) if answer[0] == 'problem']
    ((name, checkpoint, reason),) = problems
    assert (name, checkpoint) == ('good', '')
    assert 'absent/train not found' in reason


@pytest.mark.parametrize(
    ('evaluator', 'keys', 'wrong'),
    [
        (
            {'type': 'FasterCocoMetric', 'metric': ['bbox', 'segm']},
            ['coco/bbox_mAP', 'coco/segm_mAP_50', 'coco/bbox_map', 'bbox_mAP'],
            ['coco/bbox_map', 'bbox_mAP'],
        ),
        (
            {'type': 'CocoMetric', 'metric': 'bbox'},
            ['coco/bbox_mAP', 'coco/segm_mAP'],
            ['coco/segm_mAP'],
        ),
        (
            {'type': 'VOCMetric'},
            ['pascal_voc/AP50', 'pascal_voc/ap'],
            ['pascal_voc/ap'],
        ),
        (
            [{'type': 'Accuracy', 'topk': (1, 5)}, {'type': 'SingleLabelMetric'}],
            ['accuracy/top5', 'accuracy/top3', 'single-label/recall'],
            ['accuracy/top3'],
        ),
        ({'type': 'IoUMetric'}, ['mIoU', 'miou'], ['miou']),
        ({'type': 'Own'}, ['anything'], []),
    ],
)
def test_metrics_of_evaluators(evaluator, keys, wrong):
    assert missing_metrics({'val_evaluator': evaluator}, keys) == wrong


def test_metrics_of_probes():
    probes = [{'type': 'msbreg_mm.KNNProbe'}, {'type': 'msbreg_mm.GeometryProbe'}]
    cfg = {'train_cfg': {'type': 'msbreg_mm.ProbeLoop', 'probes': probes}}
    keys = ['knn/top1', 'geometry/effective_rank', 'logistic/top1', 'accuracy/top1']
    assert missing_metrics(cfg, keys) == keys[2:]
