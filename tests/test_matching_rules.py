"""Which anchors and proposals train: detectron2's rules, or mmdet's for mmselfsup."""

from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from msbreg_mm.utils.upstream import import_quietly

import_quietly('mmdet.models')

from mmdet.registry import TASK_UTILS  # noqa: E402

ROOT = Path(__file__).parents[1] / 'configs'
TRANSFER = {
    path.stem: path
    for name in ('coco', 'voc')
    for path in sorted((ROOT / 'transfer' / name).glob('*.py'))
}
# mmselfsup trained with mmdet's rules.
MMDET = {
    'mask-rcnn_r50-fpn-4conv1fc_12e_coco',
    'faster-rcnn_r50-c4_24k-mmselfsup_voc0712',
}


@cache
def read(path):
    return Config.fromfile(path, import_custom_modules=False)


def match(part, priors, boxes):
    with DefaultScope.overwrite_default_scope('mmdet'):
        assigner = TASK_UTILS.build(part.assigner)
    labels = torch.zeros(len(boxes), dtype=torch.long)
    objects = InstanceData(bboxes=boxes, labels=labels)
    return assigner.assign(InstanceData(priors=priors), objects).gt_inds


def anchors(cfg, side=256):
    with DefaultScope.overwrite_default_scope('mmdet'):
        generator = TASK_UTILS.build(cfg.model.rpn_head.anchor_generator)
    sizes = [(side // stride[1], side // stride[0]) for stride in generator.strides]
    return generator, sizes, torch.cat(generator.grid_priors(sizes, device='cpu'))


@pytest.mark.parametrize('name', TRANSFER)
def test_small_objects_have_anchors(name):
    """A box of 7 x 7 px overlaps no anchor by 0.3; detectron2 trains on it."""
    cfg = read(TRANSFER[name])
    boxes = torch.tensor([[101.0, 103.0, 108.0, 110.0], [16.0, 16.0, 144.0, 144.0]])
    found = match(cfg.model.train_cfg.rpn, anchors(cfg)[2], boxes)
    assert (found == 2).any()
    assert bool((found == 1).any()) == (name not in MMDET)


@pytest.mark.parametrize('name', TRANSFER)
def test_anchors_across_the_border_train(name):
    """RPN.BOUNDARY_THRESH is -1: all train. mmselfsup's C4 left out some."""
    from mmdet.models.task_modules.prior_generators import anchor_inside_flags

    cfg = read(TRANSFER[name])
    generator, sizes, priors = anchors(cfg)
    valid = torch.cat(generator.valid_flags(sizes, (256, 256), device='cpu'))
    border = cfg.model.train_cfg.rpn.allowed_border
    inside = anchor_inside_flags(priors, valid, (256, 256), border)
    assert bool(inside.all()) == ('mmselfsup' not in name)


@pytest.mark.parametrize('name', TRANSFER)
def test_proposal_is_of_the_object_that_it_overlaps_most(name):
    """mmdet's Mask R-CNN gives it to the object that has no better proposal."""
    boxes = torch.tensor([[0.0, 0.0, 100.0, 100.0], [0.0, 0.0, 100.0, 60.0]])
    proposal = torch.tensor([[0.0, 0.0, 100.0, 90.0]])  # IoU 0.9 and 0.67
    found = match(read(TRANSFER[name]).model.train_cfg.rcnn, proposal, boxes)
    assert found.tolist() == [2 if 'fpn-4conv1fc_12e' in name else 1]


def test_the_demo_keeps_the_rules_that_it_was_measured_with():
    for path in sorted((ROOT / 'demo').glob('*-rcnn_*.py')):
        rules = read(path).model.train_cfg
        assert rules.rpn.assigner.min_pos_iou == 0.3
        assert rules.rcnn.assigner.match_low_quality
