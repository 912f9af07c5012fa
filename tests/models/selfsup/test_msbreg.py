import pytest
import torch
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS

import msbreg_mm.models  # noqa: F401  registers the classes
from msbreg_mm.registry import MODELS

DIM = 8
HEAD = dict(
    type='msbreg_mm.MSBRegHead',
    terms=dict(
        centroid=dict(type='msbreg_mm.MultiviewCentroidLoss', form='view'),
        singular_value=dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01),
        brownian=dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1),
    ),
)


def make_neck(in_channels, with_avg_pool=True):
    return dict(
        type='NonLinearNeck',
        in_channels=in_channels,
        hid_channels=16,
        out_channels=DIM,
        with_last_bn=False,
        with_avg_pool=with_avg_pool,
        norm_cfg=dict(type='BN1d'),
    )


RESNET = dict(type='ResNet', depth=18, stem_channels=4, base_channels=4)
VIT = dict(
    type='VisionTransformer',
    arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32),
    img_size=32,
    patch_size=8,
    out_type='cls_token',
)


def build(backbone=RESNET, neck=None, seed=0, **kwargs):
    torch.manual_seed(seed)
    cfg = dict(
        type='msbreg_mm.MSBReg',
        backbone=backbone,
        neck=neck or make_neck(32),
        head=HEAD,
        **kwargs,
    )
    model = MMPRETRAIN_MODELS.build(cfg)
    model.init_weights()
    return model


def views(*sizes, images=4):
    return [torch.randn(images, 3, size, size) for size in sizes]


def total(losses):
    return sum(losses.values())


def test_is_registered_under_its_own_scope():
    assert MODELS.get('MSBReg') is not None
    assert MMPRETRAIN_MODELS.get('msbreg_mm.MSBReg') is MODELS.get('MSBReg')


def test_target_starts_as_copy_and_takes_no_gradient():
    model = build()
    for online, target in (
        (model.backbone, model.target_backbone),
        (model.neck, model.target_neck),
    ):
        for a, b in zip(online.parameters(), target.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
            assert not b.requires_grad
            assert a.data_ptr() != b.data_ptr()


@pytest.mark.parametrize(
    ('backbone', 'neck'),
    [(RESNET, make_neck(32)), (VIT, make_neck(16, with_avg_pool=False))],
    ids=['resnet', 'vit'],
)
def test_gradient_reaches_online_network_only(backbone, neck):
    model = build(backbone, neck)
    total(model.loss(views(32, 32, 16), [])).backward()
    # a ViT that returns its class token leaves nothing without a gradient
    for name, parameter in model.named_parameters():
        if name.startswith('target_'):
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_views_of_one_size_share_a_batch_and_local_crops_skip_the_target():
    model = build(num_target_views=2)
    online, target = [], []
    model.backbone.register_forward_hook(lambda m, i, o: online.append(i[0].shape))
    model.target_backbone.register_forward_hook(
        lambda m, i, o: target.append(i[0].shape)
    )
    model.loss(views(32, 32, 16, 16, 16), [])
    assert [tuple(shape) for shape in online] == [(8, 3, 32, 32), (12, 3, 16, 16)]
    assert [tuple(shape) for shape in target] == [(8, 3, 32, 32)]


def test_head_receives_views_in_order():
    """Batching views must not mix images: compare with one view at a time."""
    model = build(num_target_views=1).eval()
    inputs = views(32, 16, 16)
    seen = {}
    model.head.loss = lambda online, target: seen.update(o=online, t=target)
    model.loss(inputs, [])
    for k, view in enumerate(inputs):
        expected = model.neck(model.backbone(view))[0]
        torch.testing.assert_close(seen['o'][k], expected, rtol=1e-4, atol=1e-5)
    expected = model.target_neck(model.target_backbone(inputs[0]))[0]
    torch.testing.assert_close(seen['t'][0], expected, rtol=1e-4, atol=1e-5)


def test_single_view_is_allowed():
    losses = build().loss(views(32), [])
    assert torch.isfinite(total(losses))


def test_train_step_logs_each_term():
    losses = build().loss(views(32, 32), [])
    assert set(losses) == {'loss_centroid', 'loss_singular_value', 'loss_brownian'}


def test_bad_input():
    with pytest.raises(ValueError, match='num_target_views must be at least 1, got 0'):
        build(num_target_views=0)
    model = build(num_target_views=3)
    with pytest.raises(ValueError, match='got 2 views but its target network needs 3'):
        model.loss(views(32, 32), [])
    with pytest.raises(ValueError, match='at least 2 images in a batch'):
        build().loss(views(32, 32, images=1), [])
    with pytest.raises(ValueError, match='got 0 views'):
        build().loss([], [])
