"""Tell a backbone's architecture from the shapes of its canonical state dict."""

import re
from collections.abc import Mapping

from torch import Tensor

from msbreg_mm.checkpoints.known import CONVNEXTS, SWINS

# (bottleneck, blocks per stage) -> depth; He et al., 2016, arXiv 1512.03385, table 1
_RESNETS = {
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
# (embedding dimension, layers) -> name; Dosovitskiy et al., 2021, arXiv 2010.11929,
# and Touvron et al., 2021, arXiv 2012.12877 (tiny and small)
_VITS = {(192, 12): 'tiny', (384, 12): 'small', (768, 12): 'base', (1024, 24): 'large'}


def describe(state: Mapping[str, Tensor]) -> str:
    """Name the architecture of a canonical backbone state dict.

    Args:
        state: Canonical (mmpretrain) keys; only names and shapes are read.

    Returns:
        E.g. ``'resnet50'``, ``'resnet18-c16'`` (16 base channels instead of 64),
        ``'resnet18-c16-stem64'``, ``'resnet50-w128'`` (wide), ``'resnet50-w128-g32'``
        (grouped), ``'resnet50-deepstem'``, ``'vit_base_patch16'``, ``'convnext_tiny'``,
        ``'swin_base'``; ``'unknown'`` of other networks.
    """
    if 'layer1.0.conv1.weight' in state:
        return _describe_resnet(state)
    if 'patch_embed.projection.weight' in state:
        return _describe_vit(state)
    if 'stages.0.blocks.0.conv_dw.weight' in state:
        return _describe_convnext(state)
    if 'layers.0.blocks.0.norm1.weight' in state:
        return _describe_swin(state)
    return 'unknown'


def compare_keys(state: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Compare a canonical state dict with the keys that its architecture has.

    Args:
        state: Canonical (mmpretrain) keys of a ResNet or ViT.

    Returns:
        Missing keys (``num_batches_tracked`` aside), and keys without a place.
    """
    if 'layer1.0.conv1.weight' in state:
        expected = _resnet_keys(state)
    else:
        expected = _vit_keys(state)
    counters = {key for key in state if key.endswith('.num_batches_tracked')}
    missing = [key for key in expected if key not in state]
    return missing, [k for k in state if k not in expected and k not in counters]


def is_bottleneck(state: Mapping[str, Tensor]) -> bool:
    """Whether the ResNet's blocks have three convolutions (depth 50 and more)."""
    return any(re.match(r'layer\d+\.\d+\.conv3\.weight$', key) for key in state)


def count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Count the distinct first groups of ``pattern`` among the keys."""
    matches = (re.match(pattern, key) for key in state)
    return len({match[1] for match in matches if match})


def _describe_resnet(state: Mapping[str, Tensor]) -> str:
    stages = count(state, r'layer(\d+)\.')
    blocks = tuple(
        count(state, rf'layer{stage + 1}\.(\d+)\.') for stage in range(stages)
    )
    bottleneck = is_bottleneck(state)
    # A backbone of fewer stages (C4) has the depth of the whole network.
    depths = [
        depth
        for (kind, whole), depth in _RESNETS.items()
        if kind == bottleneck and whole[:stages] == blocks
    ]
    kind = '' if bottleneck else 'basic'
    name = f'resnet{depths[0]}' if depths else f'resnet-{kind}{list(blocks)}'
    first = state['layer1.0.conv1.weight'].shape
    # Of an incomplete file the usual numbers are assumed.
    second = _shape(state, 'layer1.0.conv2.weight') or (first[0], first[0])
    last = _shape(state, 'layer1.0.conv3.weight') or (4 * first[0],)
    # Bottleneck blocks give out 4 times their base channels.
    base = last[0] // 4 if bottleneck else first[0]
    stem = state['conv1.weight'].shape[0] if 'conv1.weight' in state else base
    suffixes = {'c': (base, 64), 'w': (first[0], base), 'stem': (stem, base)}
    name += ''.join(f'-{s}{n}' for s, (n, usual) in suffixes.items() if n != usual)
    if second[1] != first[0]:
        name += f'-g{first[0] // second[1]}'
    deep = any(key.startswith('stem.') for key in state)
    return name + '-deepstem' if deep else name


def _describe_vit(state: Mapping[str, Tensor]) -> str:
    weight = state['patch_embed.projection.weight']
    dims, layers = weight.shape[0], count(state, r'layers\.(\d+)\.')
    size = _VITS.get((dims, layers), f'{dims}x{layers}')
    return f'vit_{size}_patch{weight.shape[-1]}'


def _describe_convnext(state: Mapping[str, Tensor]) -> str:
    stages = range(count(state, r'stages\.(\d+)\.'))
    depths = tuple(count(state, rf'stages\.{i}\.blocks\.(\d+)\.') for i in stages)
    width = state['stages.0.blocks.0.conv_dw.weight'].shape[0]
    kind = 'convnextv2' if 'stages.0.blocks.0.mlp.grn.weight' in state else 'convnext'
    size = CONVNEXTS.get((depths, width))
    return f'{kind}_{size}' if size else f'{kind}-{width}-{list(depths)}'


def _describe_swin(state: Mapping[str, Tensor]) -> str:
    stages = range(count(state, r'layers\.(\d+)\.'))
    depths = tuple(count(state, rf'layers\.{i}\.blocks\.(\d+)\.') for i in stages)
    width = state['layers.0.blocks.0.norm1.weight'].shape[0]
    second = 'layers.0.blocks.0.attn.logit_scale' in state
    size = SWINS.get((depths, width))
    kind = 'swinv2' if second else 'swin'
    return f'{kind}_{size}' if size else f'{kind}-{width}-{list(depths)}'


def _resnet_keys(state: Mapping[str, Tensor]) -> list[str]:
    names = [key for key in state if key.startswith('stem.')]
    convs = 3 if is_bottleneck(state) else 2
    pairs = [] if names else [('conv1', 'bn1')]
    for stage in range(1, count(state, r'layer(\d+)\.') + 1):
        for block in range(count(state, rf'layer{stage}\.(\d+)\.')):
            name = f'layer{stage}.{block}.'
            pairs += [(f'{name}conv{i}', f'{name}bn{i}') for i in range(1, convs + 1)]
            if block == 0 and (stage > 1 or _has_shortcut(state, name, convs)):
                pairs.append((f'{name}downsample.0', f'{name}downsample.1'))
    norm = ('weight', 'bias', 'running_mean', 'running_var')
    for conv, bn in pairs:
        names += [f'{conv}.weight', *(f'{bn}.{part}' for part in norm)]
    return names


def _has_shortcut(state: Mapping[str, Tensor], block: str, convs: int) -> bool:
    """Whether a first block changes the channels, which needs weights."""
    inner = _shape(state, f'{block}conv1.weight')
    outer = _shape(state, f'{block}conv{convs}.weight')
    if inner is None or outer is None:  # an incomplete file
        return any(key.startswith(f'{block}downsample.') for key in state)
    return inner[1] != outer[0]


def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None


def _vit_keys(state: Mapping[str, Tensor]) -> list[str]:
    layer = ['ln1', 'attn.qkv', 'attn.proj', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1']
    names = ['cls_token', 'pos_embed']
    modules = ['patch_embed.projection', 'ln1']
    modules += [name for name in ('pre_norm', 'ln2') if f'{name}.weight' in state]
    scaled = 'layers.0.attn.gamma1.weight' in state
    for index in range(count(state, r'layers\.(\d+)\.')):
        modules += [f'layers.{index}.{name}' for name in layer]
        if scaled:
            gammas = ('attn.gamma1.weight', 'ffn.gamma2.weight')
            names += [f'layers.{index}.{name}' for name in gammas]
    return names + [f'{name}.{part}' for name in modules for part in ('weight', 'bias')]
