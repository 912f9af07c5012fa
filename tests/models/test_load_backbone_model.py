"""load_backbone_model: the original's outputs from every layout of a file."""

import json
import re
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import msbreg_mm
from msbreg_mm.checkpoints import (
    CheckpointError,
    convert_checkpoint,
    load_backbone,
    verify_loaded,
)
from msbreg_mm.models.backbones import TimmBackbone

State = dict[str, Tensor]
_VIT = dict(embed_dim=48, depth=2, num_heads=4)
NETS = {
    'vit_tiny_patch16_224': _VIT | dict(img_size=96),
    'vit_small_patch14_reg4_dinov2': _VIT | dict(img_size=112),
    'vit_base_patch16_clip_quickgelu_224': _VIT | dict(img_size=96),
    'vit_small_patch16_dinov3_qkvb': _VIT,
    'beit_base_patch16_224': _VIT | dict(img_size=64),
    'convnextv2_atto': dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)),
    'swin_tiny_patch4_window7_224': dict(
        embed_dim=24, depths=(2, 2), num_heads=(2, 4), img_size=112
    ),
    'resnet18d': dict(channels=(8, 16, 24, 32)),
}


def make(name: str, **kwargs: object) -> nn.Module:
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=0, **(NETS.get(name, {}) | kwargs)).eval()
    for key, parameter in net.named_parameters():
        nn.init.normal_(parameter, std=0.1 if parameter.ndim > 1 else 0.3)
        if key.endswith('norm.weight'):
            nn.init.ones_(parameter)
    return net


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def features(net: nn.Module, name: str, size: tuple[int, int]) -> Tensor:
    """What timm itself computes at a size, pooled."""
    if hasattr(net, 'set_input_size'):
        other = timm.create_model(
            name, num_classes=0, **(NETS[name] | dict(img_size=size))
        ).eval()
        convert = sys.modules[type(net).__module__].checkpoint_filter_fn
        other.load_state_dict(convert(net.state_dict(), other))
        net = other
    with torch.no_grad():
        return net.forward_head(net.forward_features(images(*size)), pre_logits=True)


def folder(path: Path, net: nn.Module, name: str, **config: object) -> Path:
    path.mkdir()
    save_file(net.state_dict(), path / 'model.safetensors')
    told = {'architecture': name, 'num_classes': 0, 'model_args': NETS.get(name, {})}
    (path / 'config.json').write_text(json.dumps(told | config))
    return path


@pytest.mark.parametrize('name', NETS)
def test_timm_folder_and_every_writer(name: str, tmp_path: Path) -> None:
    net = make(name)
    unit = 14 if 'patch14' in name else 16
    sizes = [(7 * unit, 9 * unit), (10 * unit, 6 * unit)]
    expected = [features(net, name, size) for size in sizes]
    paths = [folder(tmp_path / 'timm', net, name)]
    for kind in ('mm', 'safetensors'):
        paths.append(tmp_path / kind)
        assert convert_checkpoint(paths[0], paths[-1], kind).complete
    for path in paths:
        model = msbreg_mm.load_backbone_model(path)
        assert not model.training
        for size, values in zip(sizes, expected, strict=True):
            with torch.no_grad():
                found = model.forward_features(images(*size)).pooled
            torch.testing.assert_close(found, values, rtol=1e-5, atol=1e-5)
    # The same through a config, and proved to be still there.
    built = TimmBackbone(**model.config)
    report = load_backbone(built, paths[0])
    assert report.complete
    built.init_weights()
    verify_loaded(built, report)
    nn.init.zeros_(next(built.parameters()))
    with pytest.raises(CheckpointError, match='no longer holds'):
        verify_loaded(built, report)


def dinov3_keys(state: State) -> State:
    """Meta's names, with the masked bias of the keys that is no bias."""
    new: State = {'mask_token': torch.zeros(1, 48), 'rope_embed.periods': torch.ones(3)}
    for key, value in state.items():
        if key.endswith('q_bias'):
            stem = key.removesuffix('q_bias')
            parts = [value, torch.ones(48), state[f'{stem}v_bias']]
            new[f'{stem}qkv.bias'] = torch.cat(parts)
            new[f'{stem}qkv.bias_mask'] = torch.tensor([1.0, 0, 1]).repeat_interleave(
                48
            )
        elif not key.endswith('v_bias'):
            key = re.sub(r'gamma_(\d)', r'ls\1.gamma', key)
            new[key.replace('reg_token', 'storage_tokens')] = value
    return new


def test_original_dinov3_teacher_behind_wrappers(tmp_path: Path) -> None:
    name = 'vit_small_patch16_dinov3_qkvb'
    net = make(name, global_pool='token')
    state = dinov3_keys(net.state_dict())
    inner = {re.sub(r'(blocks\.\d+)\.', r'\1._checkpoint_wrapped_module.', k): v
             for k, v in state.items()}  # fmt: skip
    teacher = {f'_fsdp_wrapped_module.backbone.{k}': v for k, v in inner.items()}
    student = {f'backbone.{k}': torch.randn_like(v) for k, v in state.items()}
    head = {'dino_head.mlp.0.weight': torch.zeros(2, 2)}
    torch.save({'teacher': teacher | head, 'student': student}, tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r'unknown architecture.*num_heads=…'):
        msbreg_mm.load_backbone_model(tmp_path / 'x')
    model = msbreg_mm.load_backbone_model(tmp_path / 'x', num_heads=4)
    assert (model.report.format, model.report.source) == ('dinov3', 'target')
    expected = features(net, name, (80, 112))
    with torch.no_grad():
        tokens = model.forward_features(images(80, 112)).tokens
        other = net.set_input_size((80, 112)) or net.forward_features(images(80, 112))
    torch.testing.assert_close(tokens, other, rtol=1e-5, atol=1e-5)
    assert expected.shape == (2, 48)


def dinov2_keys(state: State) -> State:
    """Meta's names: registers apart, the class token's position in the table."""
    new = dict(state)
    new['register_tokens'] = new.pop('reg_token')
    position = torch.randn(1, 1, 48)
    new['cls_token'] = new['cls_token'] - position
    new['pos_embed'] = torch.cat([position, new['pos_embed']], dim=1)
    return new | {'mask_token': torch.zeros(1, 48)}


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_original_dinov2_with_registers(dtype: torch.dtype, tmp_path: Path) -> None:
    name = 'vit_small_patch14_reg4_dinov2'
    net = make(name).to(dtype).float()
    state = dinov2_keys(net.state_dict())
    if dtype != torch.float32:  # the sum of token and position is rounded
        state = net.state_dict()
    torch.save({k: v.to(dtype) for k, v in state.items()}, tmp_path / 'x')
    model = msbreg_mm.load_backbone_model(tmp_path / 'x', num_heads=4)
    expected = features(net, name, (98, 126))
    with torch.no_grad():
        found = model.forward_features(images(98, 126)).pooled
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)
    assert model.resize == 'timm'  # DINOv2 with registers: antialiased


def test_ijepa_target_and_the_rules_of_positions(tmp_path: Path) -> None:
    net = make('vit_tiny_patch16_224', class_token=False, global_pool='avg')
    state = net.state_dict()
    noise = {f'module.{k}': torch.randn_like(v) for k, v in state.items()}
    predictor = {'module.predictor_blocks.0.norm1.weight': torch.zeros(2)}
    content = {'encoder': noise, 'predictor': predictor}
    content['target_encoder'] = {f'module.{k}': v for k, v in state.items()}
    torch.save(content, tmp_path / 'x')
    model = msbreg_mm.load_backbone_model(tmp_path / 'x', num_heads=4)
    assert (model.report.format, model.resize) == ('ijepa', 'plain')
    x = images(96, 96)
    with torch.no_grad():
        torch.testing.assert_close(
            model.forward_features(x)[1], net.forward_features(x)
        )
    # DINO's offset shows.
    torch.save(
        {'teacher': {f'backbone.{k}': v for k, v in state.items()}}, tmp_path / 'y'
    )
    dino = msbreg_mm.load_backbone_model(tmp_path / 'y', num_heads=4)
    assert dino.resize == 'dino'
    x = images(64, 128)
    with torch.no_grad():
        difference = dino(x)[0] - model(x)[0]
    assert difference.std() > 0.002 * model(x)[0].std()


def test_config_says_what_shapes_do_not(tmp_path: Path) -> None:
    args = {'layers': [1, 1, 1, 1]}
    net = make('resnetaa50', **args)
    path = folder(tmp_path / 'aa', net, 'resnetaa50', model_args=args)
    assert msbreg_mm.load_backbone_model(path).model_name == 'resnetaa50'
    net = make('vit_tiny_patch16_224', num_heads=12)
    path = folder(tmp_path / 'vit', net, 'vit_tiny_patch16_224')
    (path / 'config.json').write_text(
        json.dumps({'model_type': 'vit', 'num_attention_heads': 12})
    )
    assert msbreg_mm.load_backbone_model(path).net.blocks[0].attn.num_heads == 12
    with pytest.raises(CheckpointError, match=r'says 12 attention heads, .* has 3'):
        msbreg_mm.load_backbone_model(path, arch='vit_tiny_patch16_224')
    told = {'architecture': 'vit_of_tomorrow'}
    (path / 'config.json').write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="'vit_of_tomorrow', which this timm"):
        msbreg_mm.load_backbone_model(path)


def test_bad_files_say_why(tmp_path: Path) -> None:
    state = make('vit_tiny_patch16_224').state_dict()
    path = tmp_path / 'x'

    def refused(content: State, match: str, **kwargs: object) -> None:
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=match):
            msbreg_mm.load_backbone_model(path, **kwargs)

    small = dict(embed_dim=48, depth=2, num_heads=4)
    wrong = {'arch': 'vit_tiny_patch16_224', 'patch_size': 8, **small}
    refused(
        state, r'patch_embed.proj.weight: \(48, 3, 16, 16\) → \(48, 3, 8, 8\)', **wrong
    )
    half = {k: v for k, v in state.items() if not k.startswith('blocks.1.mlp')}
    refused(half, 'missing blocks.1.mlp.fc1.weight', num_heads=4)
    bare = {k: v for k, v in state.items() if k != 'cls_token'}
    refused(bare, r'no square grid|missing cls_token', num_heads=4)
    two = {f'a.{k}': v for k, v in state.items()}
    two |= {f'b.{k}': v for k, v in make('resnet18d').state_dict().items()}
    refused(two, 'networks of different kinds', num_heads=4)
    refused(
        {**state, 'norm.weight': state['norm.weight'] * torch.nan}, 'NaN', num_heads=4
    )
    torch.save(state, path)
    model = TimmBackbone('vit_tiny_patch16_224', img_size=160, **small)
    with pytest.raises(CheckpointError, match=r'net.pos_embed'):
        load_backbone(model, path)
