import pytest
from mmengine.optim import build_optim_wrapper
from mmpretrain.models import VisionTransformer
from torch import nn

from msbreg_mm.engine import layer_decay  # noqa: F401 - registers it


class Detector(nn.Module):
    """A small transformer of three layers between a neck and a head."""

    def __init__(self, backbone=None):
        super().__init__()
        arch = dict(embed_dims=8, num_layers=3, num_heads=2, feedforward_channels=16)
        self.backbone = backbone or VisionTransformer(
            arch=arch, img_size=32, out_type='featmap', final_norm=False
        )
        self.neck = nn.Sequential(nn.Conv2d(8, 8, 1), nn.LayerNorm(8))
        self.bbox_head = nn.Linear(8, 2)


def settings(model):
    """Learning rate and weight decay of each parameter, by name."""
    cfg = dict(
        optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.5),
        constructor='msbreg_mm.BackboneLayerDecayConstructor',
        paramwise_cfg=dict(
            layer_decay_rate=0.7,
            norm_decay_mult=0.0,
            custom_keys={'pos_embed': dict(decay_mult=0.0)},
        ),
    )
    groups = build_optim_wrapper(model, cfg).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group['lr'], group['weight_decay'])
        for group in groups
        for parameter in group['params']
    }


def test_rates_fall_with_depth_as_in_detectron2():
    model = Detector()
    found = settings(model)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    for name, (rate, decay) in found.items():
        # detectron2's get_vit_lr_decay_rate: 0.7 ** (num_layers + 1 - layer_id)
        layer_id = 3 + 1
        if name.startswith('backbone.'):
            inner = name.removeprefix('backbone.')
            if inner.startswith('layers.'):
                layer_id = int(inner.split('.')[1]) + 1
            else:
                layer_id = 0
        assert rate == pytest.approx(0.7 ** (3 + 1 - layer_id)), name
        without = '.ln' in name or 'neck.1' in name or name.endswith('pos_embed')
        assert decay == (0.0 if without else 0.5), name


def test_frozen_parameters_are_left_out():
    model = Detector()
    model.backbone.layers[0].requires_grad_(False)
    assert not any(name.startswith('backbone.layers.0.') for name in settings(model))


def test_backbone_without_layers_is_refused():
    model = Detector(backbone=nn.Conv2d(3, 8, 1))
    with pytest.raises(
        ValueError, match='backbone Conv2d of Detector has no get_layer'
    ):
        settings(model)
