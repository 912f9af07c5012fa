"""State dicts with each project's real key names, at an eighth of the width."""

import functools
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor

State = dict[str, Tensor]


def shrink(state: State, seed: int) -> State:
    """Random values for the keys of a network built on the meta device."""
    generator = torch.Generator().manual_seed(seed)
    small = {}
    for key, value in state.items():
        shape = [n // 8 if n >= 64 else n for n in value.shape]
        if key.endswith('num_batches_tracked'):
            small[key] = torch.tensor(7)
        else:
            small[key] = torch.rand(shape, generator=generator) + 0.5
    return small


@pytest.fixture(scope='session')
def resnet_state() -> Callable[..., State]:
    """torchvision's keys: ``resnet_state(depth, seed=0, fc=True)``."""

    @functools.cache
    def full(depth: int, seed: int) -> State:
        with torch.device('meta'):
            model = torchvision.models.get_model(f'resnet{depth}', weights=None)
        return shrink(model.state_dict(), seed)

    def make(depth: int = 50, seed: int = 0, fc: bool = True) -> State:
        state = full(depth, seed)
        return {k: v.clone() for k, v in state.items() if fc or k[:3] != 'fc.'}

    return make


@pytest.fixture(scope='session')
def vit_state() -> Callable[..., State]:
    """timm's keys of a ViT: ``vit_state(dims=48, patch=16, scale=False)``."""

    def make(
        dims: int = 48, patch: int = 16, layers: int = 12, scale: bool = False
    ) -> State:
        shapes = {
            'cls_token': (1, 1, dims),
            'pos_embed': (1, 5, dims),
            'patch_embed.proj.weight': (dims, 3, patch, patch),
            'patch_embed.proj.bias': (dims,),
        }
        for i in range(layers):
            shapes |= {
                f'blocks.{i}.norm1.weight': (dims,),
                f'blocks.{i}.norm1.bias': (dims,),
                f'blocks.{i}.attn.qkv.weight': (3 * dims, dims),
                f'blocks.{i}.attn.qkv.bias': (3 * dims,),
                f'blocks.{i}.attn.proj.weight': (dims, dims),
                f'blocks.{i}.attn.proj.bias': (dims,),
                f'blocks.{i}.norm2.weight': (dims,),
                f'blocks.{i}.norm2.bias': (dims,),
                f'blocks.{i}.mlp.fc1.weight': (4 * dims, dims),
                f'blocks.{i}.mlp.fc1.bias': (4 * dims,),
                f'blocks.{i}.mlp.fc2.weight': (dims, 4 * dims),
                f'blocks.{i}.mlp.fc2.bias': (dims,),
            }
            if scale:
                shapes[f'blocks.{i}.ls1.gamma'] = (dims,)
                shapes[f'blocks.{i}.ls2.gamma'] = (dims,)
        shapes |= {'norm.weight': (dims,), 'norm.bias': (dims,)}
        generator = torch.Generator().manual_seed(1)
        return {k: torch.rand(s, generator=generator) for k, s in shapes.items()}

    return make
