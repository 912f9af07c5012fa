"""TimmBackbone against timm itself, at image sizes that are not the native one."""

import copy
import sys

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from msbreg_mm.models.backbones import TimmBackbone
from msbreg_mm.models.backbones.resizing import RULES, resize_positions, resize_table
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import InputError, OptionError

_VIT = dict(embed_dim=48, depth=2, num_heads=3)
_SWIN = dict(embed_dim=24, depths=(2, 2), num_heads=(2, 4))
SMALL = {
    'vit_tiny_patch16_224': _VIT,
    'vit_small_patch14_reg4_dinov2': _VIT | dict(img_size=112),
    'deit3_small_patch16_224': _VIT,
    'vit_base_patch16_siglip_224': _VIT,
    'vit_small_patch16_dinov3': _VIT,
    'vit_pe_core_tiny_patch16_384': _VIT | dict(img_size=128),
    'beit_base_patch16_224': _VIT | dict(img_size=64),
    'swin_tiny_patch4_window7_224': _SWIN,
    'swinv2_tiny_window8_256': _SWIN,
    'convnext_atto': dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)),
    'convnextv2_atto': dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)),
    'resnet18d': dict(channels=(8, 16, 24, 32)),
}


def build(name: str, **kwargs: object) -> TimmBackbone:
    """A small network whose every parameter matters."""
    torch.manual_seed(0)
    model = TimmBackbone(name, **(SMALL[name] | kwargs)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def images(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, height, width, generator=generator)


def of_timm(model: TimmBackbone, size: tuple[int, int]) -> nn.Module:
    """The same weights in a network that timm builds for this size."""
    kwargs = SMALL[model.model_name] | dict(num_classes=0)
    if model.native_size:
        kwargs |= dict(img_size=size)
    net = timm.create_model(model.model_name, **kwargs).eval()
    state = model.net.state_dict()
    if model.native_size:
        convert = sys.modules[type(net).__module__].checkpoint_filter_fn
        state = convert(state, net)
    net.load_state_dict(state)
    return net


@pytest.mark.parametrize('name', SMALL)
def test_outputs_are_timms_at_sizes_that_are_not_square(name: str) -> None:
    model = build(name)
    unit = 14 if 'patch14' in name else 16
    for size in [(8 * unit, 6 * unit), (5 * unit, 9 * unit)]:
        net = of_timm(model, size)
        x = images(*size)
        with torch.no_grad():
            found = model.forward_features(x)
            expected = net.forward_features(x)
            pooled = net.forward_head(expected, pre_logits=True)
        torch.testing.assert_close(found.pooled, pooled, rtol=1e-5, atol=1e-5)
        for map_, channels, stride in zip(
            found.maps, model.out_channels, model.strides, strict=True
        ):
            assert map_.shape[:2] == (2, channels)
            for n, found_n in zip(size, map_.shape[2:], strict=True):
                assert found_n in (n // stride, -(-n // stride))
        if model.is_plain:
            torch.testing.assert_close(found.tokens, expected, rtol=1e-5, atol=1e-5)
            patches = found.tokens[:, model.num_prefix_tokens :]
            last = found.maps[-1].flatten(2).transpose(1, 2)
            torch.testing.assert_close(last, patches, rtol=1e-5, atol=1e-5)


def test_maps_of_blocks_and_padding() -> None:
    model = build('vit_tiny_patch16_224', out_indices=(0, -1))
    whole = images(64, 96)
    cut = whole[..., :50, :90]
    whole[..., 50:, :] = 0
    whole[..., 90:] = 0
    for padded, expected in zip(model(cut), model(whole), strict=True):
        torch.testing.assert_close(padded, expected)
    strict = build('vit_tiny_patch16_224', pad=False)
    with pytest.raises(OptionError, match='50 × 90 are no multiple of the patch'):
        strict(cut)


@pytest.mark.parametrize('name', ['vit_tiny_patch16_224', 'beit_base_patch16_224'])
def test_positions_are_trained_at_another_size(name: str) -> None:
    model = build(name).train()
    model(images(80, 48))[0].square().sum().backward()
    names = [n for n, p in model.named_parameters() if 'pos' in n]
    assert names
    for key in names:
        assert model.get_parameter(key).grad.abs().sum() > 0
    # What was resized before a step must not be kept after it.
    model.eval()
    with torch.no_grad():
        before = model(images(80, 48))[0]
        for key in names:
            model.get_parameter(key).mul_(-1)
        after = model(images(80, 48))[0]
    assert not torch.allclose(before, after, atol=1e-3)


def test_copies_are_independent_and_registered() -> None:
    model = build('vit_tiny_patch16_224')
    x = images(64, 96)
    before = model(x)[0]
    twin = copy.deepcopy(model)
    nn.init.zeros_(twin.net.pos_embed)
    torch.testing.assert_close(model(x)[0], before)
    assert not torch.allclose(twin(x)[0], before)
    cfg = dict(type='msbreg_mm.TimmBackbone', model_name='convnext_atto')
    assert MODELS.build(cfg).out_channels == [40, 80, 160, 320]
    # init_weights draws nothing again: weights that are there already stay
    model.init_weights()
    torch.testing.assert_close(model(x)[0], before)


def test_rules_by_hand() -> None:
    positions = torch.randn(1, 1 + 16, 5)
    grid = positions[:, 1:].reshape(1, 4, 4, 5).permute(0, 3, 1, 2)
    for name, size in {
        'timm': dict(size=(3, 6), antialias=True),
        'plain': dict(size=(3, 6)),
        'dino': dict(scale_factor=(3.1 / 4, 6.1 / 4)),
    }.items():
        expected = interpolate(grid, mode='bicubic', **size)
        found = resize_positions(positions, 1, (4, 4), (3, 6), RULES[name])
        assert found[:, :1].equal(positions[:, :1])
        torch.testing.assert_close(found[:, 1:], expected.flatten(2).transpose(1, 2))
    # RADIO: the longer side's square, cut
    square = interpolate(grid, size=(6, 6), mode='bilinear')[:, :, :3]
    found = resize_positions(positions, 1, (4, 4), (3, 6), RULES['radio'])
    torch.testing.assert_close(found[:, 1:], square.flatten(2).transpose(1, 2))
    table = torch.randn(7 * 7 + 3, 2)
    found = resize_table(table, (4, 4), (3, 6), RULES['plain'])
    rows = table[:49].reshape(7, 7, 2).permute(2, 0, 1)[None]
    expected = interpolate(rows, size=(5, 11), mode='bilinear')[0].flatten(1).T
    torch.testing.assert_close(found, torch.cat([expected, table[49:]]))


def test_errors_say_what_to_do() -> None:
    with pytest.raises(OptionError, match='timm has no network'):
        TimmBackbone('vit_nowhere')
    with pytest.raises(OptionError, match='cannot build vit_tiny_patch16_224'):
        TimmBackbone('vit_tiny_patch16_224', colour=3)
    with pytest.raises(OptionError, match='12 stages or blocks'):
        TimmBackbone('vit_tiny_patch16_224', out_indices=(3, 12))
    with pytest.raises(OptionError, match="resize='lanczos'"):
        TimmBackbone('vit_tiny_patch16_224', resize='lanczos')
    model = TimmBackbone('cait_xxs24_224', depth=1, embed_dim=48, num_heads=2)
    with pytest.raises(InputError, match='pos_embed depends on the image size'):
        model(images(160, 192))
