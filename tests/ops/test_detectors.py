"""mmdet's detectors train and predict on the ops, from its own configs made small."""

import math

import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import DefaultScope

# Config and the overlap above which two boxes of one class are one object;
# soft-NMS keeps both, with a lower score.
DETECTORS = {
    'mask-rcnn': ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 0.5),
    'faster-rcnn': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 0.5),
    'soft-nms': ('faster_rcnn/faster-rcnn_r50_fpn_soft-nms_1x_coco.py', 1.0),
    'cascade-rcnn': ('cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py', 0.5),
    'retinanet': ('retinanet/retinanet_r50_fpn_1x_coco.py', 0.5),
    'fcos': ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 0.5),
    'dcn': ('dcn/mask-rcnn_r50-dconv-c3-c5_fpn_1x_coco.py', 0.5),
    'dcnv2': ('dcnv2/faster-rcnn_r50-mdconv-group4-c3-c5_fpn_1x_coco.py', 0.5),
    'mask-rcnn-c4': ('mask_rcnn/mask-rcnn_r50-caffe-c4_1x_coco.py', 0.5),
}
FAST = [name for name in DETECTORS if name != 'mask-rcnn-c4']
WIDTHS = {
    'in_channels',
    'out_channels',
    'feat_channels',
    'conv_out_channels',
    'fc_out_channels',
}


@pytest.fixture(autouse=True)
def mmdet_scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def shrink(node):
    """Make a model's config 8 times narrower."""
    if isinstance(node, list):
        for child in node:
            shrink(child)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in WIDTHS:
                shrink(value)
            elif isinstance(value, int):
                node[key] = max(value // 8, 1)
            else:
                node[key] = [width // 8 for width in value]


def build(name, tmp_path, score_thr=0.0):
    """One of mmdet's models, small; any score is a detection by default."""
    torch.manual_seed(0)
    file = tmp_path / 'config.py'
    file.write_text(f"_base_ = ['mmdet::{DETECTORS[name][0]}']\n")
    cfg = Config.fromfile(file).model
    cfg.backbone.init_cfg = None
    # The last stage of a C4 model has the width of ResNet-50 and no option for it.
    if 'shared_head' not in cfg.get('roi_head', {}):
        shrink(cfg)
        cfg.backbone.base_channels = 8
        if 'dcn' not in cfg.backbone:  # the blocks of ResNet-18 have no such option
            cfg.backbone.depth = 18
            cfg.neck.in_channels = [8, 16, 32, 64]
    if 'rpn' in cfg.test_cfg:
        cfg.train_cfg.rpn_proposal.max_per_img = cfg.test_cfg.rpn.max_per_img = 50
    cfg.test_cfg.get('rcnn', cfg.test_cfg).score_thr = score_thr
    model = MODELS.build(cfg)
    # Frozen weights make no sense where none are loaded.
    return model.requires_grad_(True)


def batch(model, num_items=(2, 3)):
    """Two images of different sizes with boxes and, where needed, masks."""
    data = demo_mm_inputs(
        2,
        [[3, 64, 96], [3, 96, 64]],
        num_items=list(num_items),
        num_classes=80,
        with_mask=getattr(model, 'with_mask', False),
    )
    return model.data_preprocessor(data, training=True)


def train(model, data):
    """Return the losses by name after going backward from their sum."""
    total, losses = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    return {name: float(value.detach()) for name, value in losses.items()}


def predict(model, data):
    model.eval()
    with torch.no_grad():
        return [sample.pred_instances for sample in model(**data, mode='predict')]


def all_finite_and_some(gradients):
    return all(g.isfinite().all() for g in gradients) and any(
        g.any() for g in gradients
    )


@pytest.mark.parametrize(
    'name', [*FAST, pytest.param('mask-rcnn-c4', marks=pytest.mark.slow)]
)
def test_detector_trains_and_predicts(name, tmp_path):
    model = build(name, tmp_path)
    losses = train(model, batch(model))
    assert all(math.isfinite(loss) for loss in losses.values()), losses
    for part, module in model.named_children():
        gradients = [parameter.grad for parameter in module.parameters()]
        assert all_finite_and_some(gradients) or not gradients, part

    for instances in predict(model, batch(model)):
        assert 0 < len(instances) <= 100
        boxes, labels = instances.bboxes, instances.labels
        assert boxes.isfinite().all()
        overlap = torchvision.ops.box_iou(boxes, boxes).fill_diagonal_(0)
        overlap[labels[:, None] != labels] = 0
        assert overlap.max() <= DETECTORS[name][1] + 1e-4
        if 'masks' in instances:
            assert instances.masks.dtype == torch.bool
            assert len(instances.masks) == len(boxes)


def test_heads_reach_the_neck_through_roi_align(tmp_path):
    model = build('mask-rcnn', tmp_path)
    losses = model(**batch(model), mode='loss')
    weights = list(model.neck.parameters())
    for name in ('loss_cls', 'loss_bbox', 'loss_mask'):
        gradients = torch.autograd.grad(
            losses[name], weights, retain_graph=True, allow_unused=True
        )
        used = [gradient for gradient in gradients if gradient is not None]
        assert all_finite_and_some(used), name


@pytest.mark.parametrize('name', ['mask-rcnn', 'dcn', 'dcnv2', 'fcos'])
def test_detector_under_autocast(name, tmp_path, half):
    model = build(name, tmp_path)
    data = batch(model)
    with torch.autocast('cpu', half):
        losses = train(model, data)
        assert all(math.isfinite(loss) for loss in losses.values()), losses
        for instances in predict(model, data):
            assert len(instances)
            assert instances.bboxes.isfinite().all()


@pytest.mark.parametrize('name', ['mask-rcnn', 'retinanet'])
def test_images_without_objects(name, tmp_path):
    model = build(name, tmp_path, score_thr=1.0)
    losses = train(model, batch(model, num_items=(0, 0)))
    assert all(math.isfinite(loss) for loss in losses.values()), losses
    for instances in predict(model, batch(model)):
        assert instances.bboxes.shape == (0, 4)
        if 'masks' in instances:
            assert len(instances.masks) == 0
