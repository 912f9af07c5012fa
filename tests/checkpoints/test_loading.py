"""Weights arrive in the right place, or an error names every key."""

import json
import pickle

import pytest
import torch
import torchvision
from torch import nn

from msbreg_mm.checkpoints import CheckpointError, load_backbone
from msbreg_mm.utils.upstream import import_quietly


@pytest.fixture(scope='module')
def backbones():
    return import_quietly('mmpretrain.models', without='mmdet').backbones


class Model(nn.Module):
    """A detector, classifier or segmentor as far as loading is concerned."""

    def __init__(self, backbone, shared_head=None):
        super().__init__()
        self.backbone = backbone
        self.neck = nn.Linear(2, 2)
        if shared_head is not None:
            self.roi_head = nn.Module()
            self.roi_head.shared_head = shared_head


class SharedHead(nn.Module):
    """The last stage with an extra norm, as mmpretrain's ResLayerExtraNorm."""

    def __init__(self, layer4, channels):
        super().__init__()
        self.layer4 = layer4
        self.norm = nn.BatchNorm2d(channels)


def narrow(backbones, depth=18, num_stages=4, **kwargs):
    return backbones.ResNet(
        depth,
        stem_channels=8,
        base_channels=8,
        num_stages=num_stages,
        strides=(1, 2, 2, 2)[:num_stages],
        dilations=(1,) * num_stages,
        out_indices=(num_stages - 1,),
        **kwargs,
    )


def image(size=32, batch=2):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def state18(resnet_state):
    return resnet_state(18)


@pytest.fixture
def file18(state18, tmp_path):
    torch.save(state18, tmp_path / 'r18.pth')
    return tmp_path / 'r18.pth'


@pytest.mark.parametrize('depth', [18, 50])
def test_forward_agrees_with_torchvision(depth, backbones, tmp_path):
    torch.manual_seed(0)
    source = torchvision.models.get_model(f'resnet{depth}', weights=None).eval()
    for module in source.modules():  # statistics that differ from the defaults
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(source.state_dict(), tmp_path / 'x')
    model = Model(backbones.ResNet(depth)).eval()
    report = load_backbone(model, tmp_path / 'x')
    assert report.complete
    assert not report.partial
    assert report.ignored == ['fc.weight', 'fc.bias']
    source.fc = nn.Identity()
    with torch.no_grad():
        ours = model.backbone(image())[0].mean((2, 3))
        torch.testing.assert_close(ours, source(image()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('name', ['vit_small_patch16_224', 'vit_small_patch14_dinov2'])
def test_forward_agrees_with_timm_vit(name, backbones, tmp_path):
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    patch = 16 if '16' in name else 14
    source = timm.create_model(name, img_size=2 * patch, num_classes=0).eval()
    for parameter in source.parameters():  # LayerScale of 1e-5 would hide the blocks
        nn.init.normal_(parameter, std=0.05)
    teacher = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    torch.save({'teacher': teacher}, tmp_path / 'x')
    backbone = backbones.VisionTransformer(
        'deit-small',
        img_size=2 * patch,
        patch_size=patch,
        layer_scale_init_value=1e-5 if patch == 14 else 0.0,
    )
    backbone.eval()  # mmpretrain's returns nothing
    report = load_backbone(Model(backbone), tmp_path / 'x')
    assert report.format == ('dinov2' if patch == 14 else 'dino')
    assert report.arch == f'vit_small_patch{patch}'
    assert report.complete
    with torch.no_grad():
        ours = backbone(image(2 * patch))[0]
        torch.testing.assert_close(ours, source(image(2 * patch)), rtol=1e-4, atol=1e-5)


def test_forward_agrees_with_torchvision_vit(backbones, tmp_path):
    torch.manual_seed(0)
    source = torchvision.models.VisionTransformer(32, 16, 12, 3, 192, 768).eval()
    torch.save(source.state_dict(), tmp_path / 'x')
    backbone = backbones.VisionTransformer('deit-tiny', img_size=32)
    backbone.eval()
    report = load_backbone(backbone, tmp_path / 'x')
    assert (report.format, report.arch) == ('torchvision', 'vit_tiny_patch16')
    source.heads = nn.Identity()
    with torch.no_grad():
        ours = backbone(image())[0]
        torch.testing.assert_close(ours, source(image()), rtol=1e-4, atol=1e-5)


def test_position_embeddings_are_resized(backbones, vit_state, tmp_path):
    state = vit_state(layers=1)
    torch.save(state, tmp_path / 'x')
    arch = {'embed_dims': 48, 'num_layers': 1, 'num_heads': 3}
    arch['feedforward_channels'] = 192
    # 2×2 patches in the file; 4×4 in the model, with and without a class token
    for kwargs in ({}, {'with_cls_token': False, 'out_type': 'featmap'}):
        model = backbones.VisionTransformer(arch, img_size=64, **kwargs)
        report = load_backbone(model, tmp_path / 'x')
        assert report.resized == ['pos_embed']
        assert report.complete
        grid = model.pos_embed[:, -16:].reshape(4, 4, 48)
        corners = state['pos_embed'][:, 1:].reshape(2, 2, 48)
        # bicubic interpolation keeps the mean of a symmetric enlargement
        torch.testing.assert_close(grid.mean((0, 1)), corners.mean((0, 1)))
    torch.save(state | {'pos_embed': torch.rand(1, 4, 48)}, tmp_path / 'x')
    model = backbones.VisionTransformer(arch, img_size=64)
    with pytest.raises(
        CheckpointError, match=r'pos_embed: \(1, 4, 48\) → \(1, 17, 48\)'
    ):
        load_backbone(model, tmp_path / 'x')


def test_registers_have_no_place(backbones, vit_state, tmp_path):
    arch = {'embed_dims': 48, 'num_layers': 1, 'num_heads': 3}
    model = backbones.VisionTransformer(
        arch | {'feedforward_channels': 192}, img_size=32, layer_scale_init_value=1.0
    )
    registers = {'register_tokens': torch.zeros(1, 4, 48)}
    torch.save(vit_state(layers=1, scale=True) | registers, tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r'unexpected \(1\): register_tokens'):
        load_backbone(model, tmp_path / 'x')


def test_moco_v3_vit_small_has_12_heads(backbones, vit_state, tmp_path):
    state = vit_state(dims=384, layers=12)
    prefix = 'module.base_encoder.'
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / 'x')
    arch = {'embed_dims': 384, 'num_layers': 12, 'feedforward_channels': 1536}
    wrong = backbones.VisionTransformer(arch | {'num_heads': 6}, img_size=32)
    with pytest.raises(CheckpointError, match='attention heads: 12 → 6'):
        load_backbone(wrong, tmp_path / 'x')
    right = backbones.VisionTransformer(arch | {'num_heads': 12}, img_size=32)
    assert load_backbone(right, tmp_path / 'x').complete


def test_bare_backbone_and_wrapped_model(backbones, file18, state18):
    bare = narrow(backbones)
    assert load_backbone(bare, file18).complete
    assert torch.equal(bare.conv1.weight, state18['conv1.weight'])

    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    from mmengine.registry import MODEL_WRAPPERS

    MODEL_WRAPPERS.register_module(name='CheckpointsTestWrapper', module=Wrapper)
    try:
        assert load_backbone(Wrapper(Model(narrow(backbones))), file18).complete
    finally:
        MODEL_WRAPPERS.module_dict.pop('CheckpointsTestWrapper')


def test_c4_puts_the_last_stage_into_the_box_head(backbones, file18, state18):
    layer4 = narrow(backbones).layer4
    model = Model(narrow(backbones, num_stages=3), SharedHead(layer4, 64))
    before = model.roi_head.shared_head.norm.weight.clone()
    report = load_backbone(model, file18)
    assert report.complete
    assert sum(key.startswith('layer4') for key in report.matched) == 30
    loaded = model.roi_head.shared_head.layer4[1].conv2.weight
    assert torch.equal(loaded, state18['layer4.1.conv2.weight'])
    assert torch.equal(model.roi_head.shared_head.norm.weight, before)


def test_c4_of_mmdet(resnet_state, tmp_path):
    """mmdet's own ResNet and ResLayer, the latter with its fixed width."""
    from mmdet.models.backbones import ResNet
    from mmdet.models.roi_heads.shared_heads import ResLayer

    shared = ResLayer(18)

    steps = {'strides': (1, 2, 2), 'dilations': (1, 1, 1)}
    model = Model(ResNet(18, num_stages=3, out_indices=(2,), **steps), shared)
    source = torchvision.models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x')
    assert report.complete
    assert report.ignored == ['fc.weight', 'fc.bias']
    assert torch.equal(shared.layer4[0].conv1.weight, source.layer4[0].conv1.weight)


def test_a_stage_left_out_by_design_is_ignored(backbones, file18):
    report = load_backbone(narrow(backbones, num_stages=2), file18)
    assert report.complete
    assert {key.split('.')[0] for key in report.ignored} == {'fc', 'layer3', 'layer4'}


def test_another_architecture_is_named(backbones, resnet_state, tmp_path):
    torch.save(resnet_state(50), tmp_path / 'x.pth')
    model = narrow(backbones)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        load_backbone(model, tmp_path / 'x.pth')
    message = str(error.value)
    assert (
        "checkpoint is resnet50-c8 (torchvision), the model's backbone is " in message
    )
    assert 'resnet18-c8' in message
    assert 'unexpected (198): layer1.0.conv3.weight' in message
    assert '… 178 more' in message
    assert 'layer1.0.conv1.weight: (8, 8, 1, 1) → (8, 8, 3, 3)' in message
    assert 'allow_partial=True' in message
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_missing_keys_and_partial(backbones, state18, tmp_path):
    del state18['layer2.0.conv1.weight'], state18['bn1.num_batches_tracked']
    state18['layer3.0.se.fc.weight'] = torch.zeros(3)
    torch.save(state18, tmp_path / 'x')
    model = narrow(backbones)
    with pytest.raises(CheckpointError, match=r'missing \(1\): layer2.0.conv1.weight'):
        load_backbone(model, tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x', allow_partial=True)
    assert report.partial
    assert report.missing == ['layer2.0.conv1.weight']
    assert report.unexpected == ['layer3.0.se.fc.weight']
    assert report.summary().startswith('PARTIAL: resnet18-c8 from torchvision (online')
    assert torch.equal(model.conv1.weight, state18['conv1.weight'])
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_nothing_in_common_is_an_error_even_when_partial(backbones, file18):
    vit = backbones.VisionTransformer('deit-tiny', img_size=32)
    with pytest.raises(CheckpointError, match=r'resnet18-c8.*vit_tiny_patch16'):
        load_backbone(vit, file18, allow_partial=True)


def test_non_finite_weights(backbones, state18, tmp_path):
    state18['layer1.0.bn1.weight'][0] = float('nan')
    torch.save(state18, tmp_path / 'x.pth')
    with pytest.raises(
        CheckpointError, match=r'x\.pth: 1 tensors.*layer1\.0\.bn1\.wei'
    ):
        load_backbone(narrow(backbones), tmp_path / 'x.pth')


def test_stride_style(backbones, resnet_state, tmp_path):
    torch.save(resnet_state(50), tmp_path / 'x')
    caffe = narrow(backbones, 50, style='caffe')
    with pytest.raises(CheckpointError, match=r'style \(.*\): pytorch → caffe'):
        load_backbone(caffe, tmp_path / 'x')
    # a C4 head that was left in the other style
    model = Model(narrow(backbones, 50, num_stages=3), SharedHead(caffe.layer4, 256))
    with pytest.raises(CheckpointError, match=r'style \(.*\): pytorch → caffe'):
        load_backbone(model, tmp_path / 'x')
    # basic blocks have one place for the stride only
    torch.save(resnet_state(18), tmp_path / 'x')
    assert load_backbone(narrow(backbones, style='caffe'), tmp_path / 'x').complete
    # an mm file without a config does not say: a note
    state = {f'backbone.{k}': v for k, v in resnet_state(50, fc=False).items()}
    torch.save({'state_dict': state}, tmp_path / 'x')
    report = load_backbone(caffe, tmp_path / 'x')
    assert report.complete
    assert any('stride' in note for note in report.notes)


def test_detectron2_file(backbones, tmp_path, resnet_state):
    arrays = {'stem.conv1.weight': resnet_state(18)['conv1.weight'].numpy()}
    arrays['res2.0.conv1.weight'] = resnet_state(18)['layer1.0.conv1.weight'].numpy()
    arrays['res2.0.conv2.weight'] = resnet_state(18)['layer1.0.conv2.weight'].numpy()
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps({'model': arrays}))
    report = load_backbone(narrow(backbones), tmp_path / 'x.pkl', allow_partial=True)
    assert len(report.matched) == 3
    assert 'layer4.1.bn2.running_var' in report.missing


def test_norm_of_averaged_features_is_new(vit_state, tmp_path, backbones):
    """ViTs that average their tokens have a norm that no pretraining writes."""
    arch = {'embed_dims': 48, 'num_layers': 12, 'num_heads': 4}
    arch['feedforward_channels'] = 192
    model = backbones.VisionTransformer(arch, img_size=32, out_type='avg_featmap')
    torch.save(vit_state(), tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x')
    assert report.complete
    assert 'ln2.weight, ln2.bias are of the norm' in ' '.join(report.notes)
    assert torch.equal(model.ln2.weight, torch.ones(48))
    trained = {'fc_norm.weight': torch.full((48,), 2.0), 'fc_norm.bias': torch.ones(48)}
    torch.save(vit_state() | trained, tmp_path / 'x')
    assert load_backbone(model, tmp_path / 'x').complete
    assert torch.equal(model.ln2.weight, torch.full((48,), 2.0))
