"""Schedules that end with the training, or are named."""

import copy

import pytest

from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.runs.schedule import scale_schedule, schedule_gaps
from msbreg_mm.utils.errors import OptionError

STEPS = {
    'train_cfg': {'max_iters': 90000},
    'param_scheduler': [
        {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 1000},
        {
            'type': 'MultiStepLR',
            'by_epoch': False,
            'begin': 0,
            'end': 90000,
            'milestones': [60000, 80000],
        },
    ],
}


def test_iterations_take_milestones_along():
    cfg = copy.deepcopy(STEPS)
    scale_schedule(cfg, iters=9000)
    warmup, steps = cfg['param_scheduler']
    assert cfg['train_cfg']['max_iters'] == 9000
    assert (warmup['end'], steps['end'], steps['milestones']) == (
        1000, 9000, [6000, 8000],
    )  # fmt: skip
    assert schedule_gaps(cfg) == []


def test_other_unit_is_refused():
    with pytest.raises(OptionError, match="counts iterations: use 'iters'"):
        scale_schedule(copy.deepcopy(STEPS), epochs=3)
    with pytest.raises(OptionError, match="counts epochs: use 'epochs'"):
        scale_schedule({'train_cfg': {'max_epochs': 3}}, iters=3)


@pytest.mark.parametrize('value', [0, -1, 2.5, True])
def test_bad_lengths(value):
    with pytest.raises(OptionError, match='whole number from 1'):
        scale_schedule(copy.deepcopy(STEPS), iters=value)


@pytest.mark.parametrize(
    ('total', 'expected'),
    [
        (90000, []),
        (70000, [r'MultiStepLR\) ends at iteration 90000, the training at 70000']),
        (500, [r'LinearLR\) ends at iteration 1000', r'MultiStepLR\) ends']),
        (180000, ['from there on nothing changes. --iters 180000 scales all']),
    ],
)
def test_gaps_are_named(total, expected):
    cfg = copy.deepcopy(STEPS)
    cfg['train_cfg']['max_iters'] = total
    gaps = schedule_gaps(cfg)
    if total == 180000:
        gaps = gaps[-1:]
    assert len(gaps) == len(expected)
    import re

    assert all(re.search(e, gap) for e, gap in zip(expected, gaps, strict=True))


@pytest.mark.parametrize(
    'config',
    [
        'configs/msbreg_r50_imagenet.py',
        'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py',
        'configs/transfer/coco/mask-rcnn_r50-fpn_1x_coco.py',
        'configs/transfer/coco/mask-rcnn_r50-fpn_2x_coco.py',
    ],
)
def test_shipped_schedules_end_with_their_training(config):
    assert schedule_gaps(resolve_config(LaunchOptions(config))) == []


def test_epochs_of_a_real_config_decay_to_the_end():
    config = 'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'
    cfg = resolve_config(LaunchOptions(config, epochs=4))
    assert cfg.train_cfg.max_epochs == 4
    assert schedule_gaps(cfg) == []
    short = resolve_config(
        LaunchOptions(config, cfg_options={'train_cfg.max_epochs': 4})
    )
    assert 'ends at epoch 14, the training at 4' in schedule_gaps(short)[-1]
