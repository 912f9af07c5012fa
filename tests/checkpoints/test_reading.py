"""Every project's checkpoint is recognised by its keys and read into one form."""

import json
import pickle
import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from msbreg_mm.checkpoints import CheckpointError, read_checkpoint


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def rest(*names):
    return {name: torch.zeros(2) for name in names}


def no_fc(state):
    return {key: value for key, value in state.items() if not key.startswith('fc.')}


def to_detectron2(state):
    """The loop of MoCo's convert-pretrain-to-detectron2.py, written anew."""
    renamed = {}
    for key, value in no_fc(state).items():
        name = key if 'layer' in key else f'stem.{key}'
        for stage in (1, 2, 3, 4):
            name = name.replace(f'layer{stage}', f'res{stage + 1}')
        for index in (1, 2, 3):
            name = name.replace(f'bn{index}', f'conv{index}.norm')
        name = name.replace('downsample.0', 'shortcut')
        renamed[name.replace('downsample.1', 'shortcut.norm')] = value.numpy()
    return renamed


def to_sequential(state):
    order = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4']
    renamed = {}
    for key, value in no_fc(state).items():
        head, tail = key.split('.', 1)
        renamed[f'{order.index(head)}.{tail}'] = value
    return renamed


# name -> (what the file holds, made of an online state a and a target state b)
RESNETS = {
    'msbreg_mm': lambda a, b: {
        'meta': {'epoch': 3, 'cfg': "model=dict(backbone=dict(style='pytorch'))"},
        'state_dict': {
            **prefixed('backbone.', no_fc(a)),
            **prefixed('target_backbone.', no_fc(b)),
            **rest('neck.fc0.weight', 'target_neck.fc0.weight', 'head.p.weight'),
        },
        'optimizer': {'state': {0: {'momentum_buffer': torch.zeros(3)}}},
    },
    'mmpretrain': lambda a, b: {
        'meta': {'mmengine_version': '0.10'},
        'state_dict': {
            **prefixed('backbone.', no_fc(a)),
            **prefixed('target_net.module.0.', no_fc(b)),
            **rest('target_net.steps', 'neck.fc0.weight', 'head.predictor.fc0.weight'),
        },
    },
    # mmselfsup 0.x: the encoder is stored twice
    'mmpretrain ': lambda a, b: {
        'state_dict': {
            **prefixed('encoder_q.0.', no_fc(a)),
            **prefixed('backbone.', no_fc(a)),
            **prefixed('encoder_k.0.', no_fc(b)),
            **rest('queue', 'encoder_q.1.mlp.0.weight', 'head.x'),
        },
    },
    'mmdet': lambda a, b: {
        'state_dict': {
            **prefixed('backbone.', no_fc(a)),
            **rest('neck.lateral_convs.0.conv.weight', 'rpn_head.rpn_cls.weight'),
            **rest('roi_head.bbox_head.fc_cls.weight'),
        },
    },
    'torchvision': lambda a, b: a,
    'moco_v1': lambda a, b: {
        'arch': 'resnet50',
        'epoch': 200,
        'state_dict': {
            **prefixed('module.encoder_q.', a),
            **prefixed('module.encoder_k.', b),
            **rest('module.queue', 'module.queue_ptr'),
        },
        'optimizer': {'state': {}, 'param_groups': []},
    },
    'moco_v2': lambda a, b: {
        'state_dict': {
            **prefixed('module.encoder_q.', no_fc(a)),
            **prefixed('module.encoder_k.', no_fc(b)),
            **rest('module.encoder_q.fc.0.weight', 'module.encoder_q.fc.2.weight'),
            **rest('module.queue'),
        },
    },
    'moco_v3': lambda a, b: {
        'state_dict': {
            **prefixed('module.base_encoder.', no_fc(a)),
            **prefixed('module.momentum_encoder.', no_fc(b)),
            **rest('module.base_encoder.fc.0.weight', 'module.predictor.0.weight'),
        },
    },
    'simsiam': lambda a, b: {
        'state_dict': {
            **prefixed('module.encoder.', no_fc(a)),
            **rest('module.encoder.fc.0.weight', 'module.encoder.fc.6.bias'),
            **rest('module.predictor.0.weight'),
        },
    },
    # lucidrains/byol-pytorch
    'byol': lambda a, b: {
        **prefixed('online_encoder.net.', a),
        **rest('online_encoder.projector.0.weight', 'online_predictor.0.weight'),
        **prefixed('target_encoder.net.', b),
    },
    # sthalles/PyTorch-BYOL: two dicts of a Sequential encoder
    'byol ': lambda a, b: {
        'online_network_state_dict': {
            **prefixed('encoder.', to_sequential(a)),
            **rest('projetion.net.0.weight'),
        },
        'target_network_state_dict': prefixed('encoder.', to_sequential(b)),
        'optimizer_state_dict': {'state': {}},
    },
    'lightly': lambda a, b: {
        'state_dict': {
            **prefixed('backbone.', to_sequential(a)),
            **prefixed('backbone_momentum.', to_sequential(b)),
            **rest('projection_head.layers.0.weight', 'prediction_head.layers.0.bias'),
        },
        'pytorch-lightning_version': '2.0',
        'hyper_parameters': {},
    },
    'solo_learn': lambda a, b: {
        'state_dict': {
            **prefixed('backbone.', no_fc(a)),
            **prefixed('momentum_backbone.', no_fc(b)),
            **rest('classifier.weight', 'projector.0.weight', 'predictor.0.weight'),
        },
    },
    'barlow_twins': lambda a, b: {
        'epoch': 1000,
        'model': {
            **prefixed('module.backbone.', no_fc(a)),
            **rest('module.projector.0.weight', 'module.bn.running_mean'),
        },
    },
    'vicreg': lambda a, b: {
        'model': {
            **prefixed('module.backbone.', no_fc(a)),
            **rest('module.projector.0.weight', 'module.projector.0.bias'),
        },
    },
    'swav': lambda a, b: {
        **prefixed('module.', no_fc(a)),
        **rest('module.projection_head.0.weight', 'module.prototypes.weight'),
    },
    'dino': lambda a, b: {
        'student': {
            **prefixed('module.backbone.', no_fc(a)),
            **rest('module.head.mlp.0.weight'),
        },
        'teacher': {
            **prefixed('backbone.', no_fc(b)),
            **rest('head.mlp.0.weight', 'head.last_layer.weight_g'),
        },
        'args': Namespace(arch='resnet50', lr=0.3),
        'dino_loss': {'center': torch.zeros(1, 4)},
        'fp16_scaler': {'scale': 1.0},
    },
}
WITH_TARGET = [
    'msbreg_mm', 'mmpretrain', 'mmpretrain ', 'moco_v1', 'moco_v2', 'moco_v3', 'byol',
    'byol ', 'lightly', 'solo_learn', 'dino',
]  # fmt: skip


@pytest.fixture
def states(resnet_state):
    return resnet_state(50, seed=0), resnet_state(50, seed=1)


def assert_same(state, expected):
    assert set(state) == set(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)


@pytest.mark.parametrize('name', RESNETS)
def test_resnet_formats(name, states, tmp_path):
    a, b = states
    path = tmp_path / 'no.hint'
    torch.save(RESNETS[name](a, b), path)
    ckpt = read_checkpoint(path)
    assert ckpt.format == name.strip()
    assert ckpt.arch == 'resnet50-c8'
    target = name == 'dino'
    assert ckpt.source == ('target' if target else 'online')
    assert_same(ckpt.state_dict, no_fc(b if target else a))
    assert not set(ckpt.ignored) & set(ckpt.state_dict)
    if name not in ('torchvision',):
        assert ckpt.ignored, 'heads and other networks are listed'


@pytest.mark.parametrize('name', WITH_TARGET)
@pytest.mark.parametrize('source', ['online', 'target'])
def test_both_networks(name, source, states, tmp_path):
    torch.save(RESNETS[name](*states), tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x', source=source)
    assert ckpt.source == source
    assert_same(ckpt.state_dict, no_fc(states[source == 'target']))


def test_a_choice_between_networks_is_noted(states, tmp_path):
    torch.save(RESNETS['mmpretrain '](*states), tmp_path / 'x')
    notes = read_checkpoint(tmp_path / 'x').notes
    assert any(
        "('state_dict.backbone.', 'state_dict.encoder_q.0.')" in n for n in notes
    )
    torch.save(RESNETS['moco_v1'](*states), tmp_path / 'x')
    assert read_checkpoint(tmp_path / 'x').notes == []


def test_missing_network_is_an_error(states, tmp_path):
    torch.save(RESNETS['swav'](*states), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'x\.pth has no target network'):
        read_checkpoint(tmp_path / 'x.pth', source='target')


@pytest.mark.parametrize('depth', [18, 34, 101, 152])
def test_depths(depth, resnet_state, tmp_path):
    state = resnet_state(depth)
    torch.save(state, tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x')
    assert ckpt.arch == f'resnet{depth}-c8'
    assert_same(ckpt.state_dict, no_fc(state))


@pytest.mark.parametrize(
    ('name', 'arch'),
    [
        ('resnet50', 'resnet50'),
        ('wide_resnet50_2', 'resnet50-w128'),
        ('resnext50_32x4d', 'resnet50-w128-g32'),
    ],
)
def test_full_width_names(name, arch):
    import torchvision

    from msbreg_mm.checkpoints.architectures import compare_keys, describe

    with torch.device('meta'):
        state = torchvision.models.get_model(name, weights=None).state_dict()
    assert describe(state) == arch
    assert compare_keys(no_fc(state)) == ([], [])


@pytest.mark.parametrize('prefix', ['', 'backbone.bottom_up.', 'backbone.'])
@pytest.mark.parametrize('protocol', [2, 4])
def test_detectron2(prefix, protocol, states, tmp_path):
    # c4 detectors have the last stage in the box head
    model = {
        (
            f'roi_heads.{k}'
            if prefix == 'backbone.' and k[:4] == 'res5'
            else prefix + k
        ): v
        for k, v in to_detectron2(states[0]).items()
    }
    content = {'model': model, '__author__': 'x', 'matching_heuristics': True}
    path = tmp_path / 'moco.pkl'
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    ckpt = read_checkpoint(path)
    assert (ckpt.format, ckpt.arch) == ('detectron2', 'resnet50-c8')
    assert ckpt.style is None
    assert any('stride' in note for note in ckpt.notes)
    assert_same(ckpt.state_dict, no_fc(states[0]))


def test_mmdet_c4_joins_the_box_head(states, tmp_path):
    state = {
        ('roi_head.shared_head.' if k.startswith('layer4') else 'backbone.') + k: v
        for k, v in no_fc(states[0]).items()
    }
    state |= rest('rpn_head.rpn_conv.weight', 'roi_head.shared_head.norm.weight')
    torch.save({'state_dict': state}, tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x')
    assert ckpt.format == 'mmdet'
    assert_same(ckpt.state_dict, no_fc(states[0]))
    assert 'roi_head.shared_head.norm.weight' in ckpt.ignored


def hf_resnet(state):
    """Names of transformers' ResNetForImageClassification, one by one."""
    renamed = {}
    parts = {
        'conv1': 'layer.0.convolution',
        'bn1': 'layer.0.normalization',
        'conv2': 'layer.1.convolution',
        'bn2': 'layer.1.normalization',
        'conv3': 'layer.2.convolution',
        'bn3': 'layer.2.normalization',
        'downsample.0': 'shortcut.convolution',
        'downsample.1': 'shortcut.normalization',
    }
    for key, value in no_fc(state).items():
        match = re.fullmatch(r'layer(\d)\.(\d+)\.(.*)\.(\w+)', key)
        if match:
            stage, block, part, leaf = match.groups()
            stem = f'resnet.encoder.stages.{int(stage) - 1}.layers.{block}'
            renamed[f'{stem}.{parts[part]}.{leaf}'] = value
        else:
            part, leaf = key.split('.')
            name = {'conv1': 'convolution', 'bn1': 'normalization'}[part]
            renamed[f'resnet.embedder.embedder.{name}.{leaf}'] = value
    return renamed | rest('classifier.1.weight', 'classifier.1.bias')


@pytest.mark.parametrize('sharded', [False, True])
def test_huggingface_resnet_folder(sharded, states, tmp_path):
    state = hf_resnet(states[0])
    (tmp_path / 'config.json').write_text(
        json.dumps({'model_type': 'resnet', 'downsample_in_bottleneck': False})
    )
    if sharded:
        names = list(state)
        parts = {'a.safetensors': names[::2], 'b.safetensors': names[1::2]}
        for file, keys in parts.items():
            save_file({k: state[k] for k in keys}, tmp_path / file)
        index = {k: file for file, keys in parts.items() for k in keys}
        path = tmp_path / 'model.safetensors.index.json'
        path.write_text(json.dumps({'weight_map': index}))
    else:
        save_file(state, tmp_path / 'model.safetensors')
    ckpt = read_checkpoint(tmp_path)
    assert (ckpt.format, ckpt.arch) == ('huggingface', 'resnet50-c8')
    assert ckpt.style == 'pytorch'
    assert_same(ckpt.state_dict, no_fc(states[0]))
    if sharded:
        (tmp_path / 'b.safetensors').unlink()
        with pytest.raises(CheckpointError, match=r"missing: \['b.safetensors'\]"):
            read_checkpoint(tmp_path)


@pytest.mark.parametrize('text', ['{}', '[]', '{'])
def test_broken_index(text, tmp_path):
    (tmp_path / 'model.safetensors.index.json').write_text(text)
    with pytest.raises(CheckpointError, match=r'index\.json'):
        read_checkpoint(tmp_path)


def test_timm_folder(states, tmp_path):
    save_file(states[0], tmp_path / 'model.safetensors')
    (tmp_path / 'config.json').write_text(json.dumps({'architecture': 'resnet50'}))
    assert read_checkpoint(tmp_path).format == 'timm'


def mm_vit(state):
    """The canonical names, one replacement after another."""
    pairs = [
        ('patch_embed.proj.', 'patch_embed.projection.'),
        ('blocks.', 'layers.'),
        ('norm1.', 'ln1.'),
        ('norm2.', 'ln2.'),
        ('mlp.fc1.', 'ffn.layers.0.0.'),
        ('mlp.fc2.', 'ffn.layers.1.'),
        ('ls1.gamma', 'attn.gamma1.weight'),
        ('ls2.gamma', 'ffn.gamma2.weight'),
    ]
    renamed = {}
    for key, value in state.items():
        name = key
        for old, new in pairs:
            name = name.replace(old, new)
        renamed['ln1' + name[4:] if name.startswith('norm.') else name] = value
    return renamed


VITS = {
    'timm': lambda s: {**s, **rest('head.weight', 'head.bias')},
    'mmpretrain': lambda s: {
        'state_dict': prefixed('backbone.', mm_vit(s)) | rest('head.layers.head.weight')
    },
    'moco_v3': lambda s: {
        'state_dict': {
            **prefixed('module.base_encoder.', s),
            **prefixed('module.momentum_encoder.', {k: v + 1 for k, v in s.items()}),
            **rest('module.base_encoder.head.0.weight', 'module.predictor.0.weight'),
        }
    },
    'dino': lambda s: {
        'student': prefixed('module.backbone.', {k: v + 1 for k, v in s.items()}),
        'teacher': prefixed('backbone.', s) | rest('head.mlp.0.weight'),
        'args': Namespace(arch='vit_small'),
    },
}


@pytest.mark.parametrize('name', VITS)
def test_vit_formats(name, vit_state, tmp_path):
    state = vit_state()
    torch.save(VITS[name](state), tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x')
    assert (ckpt.format, ckpt.arch) == (name, 'vit_48x12_patch16')
    assert_same(ckpt.state_dict, mm_vit(state))


@pytest.mark.parametrize('chunks', [False, True])
@pytest.mark.parametrize('teacher', [False, True])
def test_dinov2(chunks, teacher, vit_state, tmp_path):
    state = vit_state(patch=14, scale=True)
    stored = {
        re.sub(r'^blocks\.(\d+)', r'blocks.3.\1', k) if chunks else k: v
        for k, v in state.items()
    } | {'mask_token': torch.zeros(1, 48)}
    if chunks:  # the first chunk must be there to be recognised
        stored = {k.replace('blocks.3.0.', 'blocks.0.0.'): v for k, v in stored.items()}
    if teacher:
        stored = {'teacher': prefixed('backbone.', stored) | rest('dino_head.x')}
    torch.save(stored, tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x')
    assert (ckpt.format, ckpt.arch) == ('dinov2', 'vit_48x12_patch14')
    assert_same(ckpt.state_dict, mm_vit(state))
    assert any(key.endswith('mask_token') for key in ckpt.ignored)


def test_scales_or_mask_alone_are_not_dinov2(vit_state, tmp_path):
    torch.save(vit_state(scale=True), tmp_path / 'deit3')
    torch.save({'model': vit_state() | rest('mask_token')}, tmp_path / 'mae')
    assert read_checkpoint(tmp_path / 'deit3').format == 'timm'
    assert read_checkpoint(tmp_path / 'mae').format == 'timm'


def test_dinov2_registers_are_kept(vit_state, tmp_path):
    registers = {'register_tokens': torch.zeros(1, 4, 48)}
    torch.save(vit_state(scale=True) | registers, tmp_path / 'x')
    assert 'register_tokens' in read_checkpoint(tmp_path / 'x').state_dict


@pytest.mark.parametrize('kind', ['vit', 'dinov2'])
def test_huggingface_vit_folder(kind, vit_state, tmp_path):
    state = vit_state(scale=kind == 'dinov2')
    names = {
        'cls_token': 'embeddings.cls_token',
        'pos_embed': 'embeddings.position_embeddings',
        'patch_embed.proj': 'embeddings.patch_embeddings.projection',
        'norm.': 'layernorm.',
        'blocks.': 'encoder.layer.',
        'attn.proj': 'attention.output.dense',
    }
    if kind == 'vit':
        names |= {
            'norm1': 'layernorm_before',
            'norm2': 'layernorm_after',
            'mlp.fc1': 'intermediate.dense',
            'mlp.fc2': 'output.dense',
        }
    else:
        names |= {
            'ls1.gamma': 'layer_scale1.lambda1',
            'ls2.gamma': 'layer_scale2.lambda1',
        }
    stored = {}
    for key, value in state.items():
        name = key
        for old, new in names.items():
            name = name.replace(old, new)
        if '.attn.qkv.' in name:
            for part, third in zip(
                ('query', 'key', 'value'), value.chunk(3), strict=True
            ):
                new = name.replace('attn.qkv', f'attention.attention.{part}')
                stored[f'{kind}.{new}'] = third.contiguous()
        else:
            stored[f'{kind}.{name}'] = value
    stored |= rest('classifier.weight', f'{kind}.embeddings.mask_token')
    save_file(stored, tmp_path / 'model.safetensors')
    (tmp_path / 'config.json').write_text(json.dumps({'num_attention_heads': 4}))
    ckpt = read_checkpoint(tmp_path)
    assert (ckpt.format, ckpt.arch) == ('huggingface', 'vit_48x12_patch16')
    assert ckpt.num_heads == 4
    assert_same(ckpt.state_dict, mm_vit(state))


def test_stride_style_of_mm_files(states, tmp_path):
    state = prefixed('backbone.', no_fc(states[0]))
    for cfg, style in [
        ("backbone=dict(style='caffe')", 'caffe'),
        ("backbone=dict(type='ResNet', depth=50)", 'pytorch'),
        ("a=dict(style='caffe')\nb=dict(style='pytorch')", None),
        ('', None),
    ]:
        torch.save({'meta': {'cfg': cfg}, 'state_dict': state}, tmp_path / 'x')
        assert read_checkpoint(tmp_path / 'x').style == style


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'a': torch.zeros(2)}, r"no ResNet or ViT found among 1 tensors .*\['a'\]"),
        ({}, 'no ResNet or ViT found among 0 tensors'),
        ([1, 2], 'holds a list, expected a dict'),
    ],
)
def test_unknown_content(content, message, tmp_path):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / 'x.pth')


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(CheckpointError, match='is an address; fetch the file'):
        read_checkpoint('https://example.org/x.pth')
    with pytest.raises(CheckpointError, match=r'gone\.pth: no such file'):
        read_checkpoint(Path(tmp_path) / 'gone.pth')
    with pytest.raises(CheckpointError, match=r'a folder without model\.safetensors'):
        read_checkpoint(tmp_path)


def test_an_average_beside_the_weights_is_named(tmp_path, resnet_state):
    """deit#173: ``model`` and ``model_ema``."""
    trained, averaged = resnet_state(18, seed=1), resnet_state(18, seed=2)
    torch.save({'model': trained, 'model_ema': averaged}, tmp_path / 'x')
    ckpt = read_checkpoint(tmp_path / 'x')
    assert torch.equal(ckpt.state_dict['conv1.weight'], trained['conv1.weight'])
    assert any("(model_ema.), which was not taken; source='target'" in n
               for n in ckpt.notes)  # fmt: skip
    ckpt = read_checkpoint(tmp_path / 'x', source='target')
    assert torch.equal(ckpt.state_dict['conv1.weight'], averaged['conv1.weight'])
    assert not any('average' in note for note in ckpt.notes)
