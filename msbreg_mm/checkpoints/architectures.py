"""Tell a backbone's architecture from the shapes of its canonical state dict."""

import re
from collections.abc import Mapping

from torch import Tensor

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
        E.g. ``'resnet50'``, ``'resnet18-c16'`` (16 channels in the stem instead of
        64), ``'resnet50-w128'`` (wide), ``'resnet50-g32'`` (grouped),
        ``'resnet50-deepstem'``, ``'vit_base_patch16'``; ``'unknown'`` where it is
        neither a ResNet nor a ViT.
    """
    if 'layer1.0.conv1.weight' in state:
        return _describe_resnet(state)
    if 'patch_embed.projection.weight' in state:
        return _describe_vit(state)
    return 'unknown'


def is_bottleneck(state: Mapping[str, Tensor]) -> bool:
    """Whether the ResNet's blocks have three convolutions (depth 50 and more)."""
    return 'layer1.0.conv3.weight' in state


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
    stem = state.get('conv1.weight')
    first, second = (state[f'layer1.0.conv{i}.weight'].shape for i in (1, 2))
    base = first[1] if stem is None else stem.shape[0]
    if base != 64:
        name += f'-c{base}'
    if second[1] != first[0]:
        name += f'-g{first[0] // second[1]}'
    if first[0] != base:
        name += f'-w{first[0]}'
    deep = stem is None and any(key.startswith('stem.') for key in state)
    return name + '-deepstem' if deep else name


def _describe_vit(state: Mapping[str, Tensor]) -> str:
    weight = state['patch_embed.projection.weight']
    dims, layers = weight.shape[0], count(state, r'layers\.(\d+)\.')
    size = _VITS.get((dims, layers), f'{dims}x{layers}')
    return f'vit_{size}_patch{weight.shape[-1]}'
