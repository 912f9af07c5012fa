"""A timm network at other image sizes, with the same parameters.

timm fixes a network's image size while it is built; ``set_input_size`` changes it
for good and replaces the parameters that depend on it. A twin is a copy for one
size that shares every parameter; those that depend on the size are computed from
the network's own at each call, so that they can be trained and saved at the native
size.
"""

import copy
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import pad

from msbreg_mm.checkpoints.blueprints import layers_by_name
from msbreg_mm.models.backbones.resizing import (
    Rule,
    Size,
    resize_positions,
    resize_table,
)
from msbreg_mm.utils.errors import InputError


class _Intermediates(nn.Module):
    """``forward_intermediates`` as a forward, for :func:`functional_call`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net: Any = net

    def forward(self, images: Tensor, **options: Any) -> Any:
        return self.net.forward_intermediates(images, **options)


@dataclass
class Twin:
    """A network for one image size.

    Args:
        net: The original, which holds the parameters.
        size: Of the images, (height, width).
        rule: How positions are resized.
        build: Arguments of ``timm.create_model``, for networks without
            ``set_input_size``.
    """

    net: Any
    size: Size
    rule: Rule
    build: dict[str, Any]
    copy: Any = field(init=False)
    _resized: list[str] = field(init=False)
    _kept: dict[str, tuple[int, Tensor]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        own = self.net.state_dict(keep_vars=True)
        try:
            if hasattr(self.net, 'set_input_size'):
                self.copy = copy.deepcopy(self.net, {id(v): v for v in own.values()})
                _set_size(self.copy, self.net, self.size, self.rule)
            else:
                build = layers_by_name(self.build)
                self.copy = timm.create_model(**build, img_size=self.size)
                _share(self.copy, own)
        except (AssertionError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f'{self.build["model_name"]} takes no images of {self.size[0]} × '
                f'{self.size[1]}: {error}; give images of its native size'
            ) from error
        parameters = dict(self.copy.named_parameters())
        self._resized = [n for n, p in parameters.items() if p is not own[n]]

    def __call__(self, images: Tensor, **options: Any) -> Any:
        """Run ``forward_intermediates``; a parameter stays where it is trained."""
        self.copy.train(self.net.training)
        tensors = {f'net.{name}': self._adapt(name) for name in self._resized}
        wrapped = _Intermediates(self.copy)
        return functional_call(wrapped, tensors, (images,), options)

    def _adapt(self, name: str) -> Tensor:
        value = self.net.get_parameter(name)
        trained = torch.is_grad_enabled() and value.requires_grad
        version, kept = self._kept.get(name, (-1, value))
        if trained or version != value._version:
            kept = self._resize(name, value)
            if not trained:
                self._kept[name] = (value._version, kept)
        return kept

    def _resize(self, name: str, value: Tensor) -> Tensor:
        if name == 'pos_embed':
            prefix = int(getattr(self.net, 'num_prefix_tokens', 0))
            if getattr(self.net, 'no_embed_class', False):
                prefix = 0
            old, new = grid_size(self.net), grid_size(self.copy)
            if value.ndim == 3 and value.shape[1] == prefix + old[0] * old[1]:
                return resize_positions(value, prefix, old, new, self.rule)
        if name.endswith('relative_position_bias_table'):
            place = name.rpartition('.')[0]
            windows = [
                n.get_submodule(place).window_size for n in (self.net, self.copy)
            ]
            old, new = (tuple(window) for window in windows)
            return resize_table(value, old, new, self.rule)
        raise InputError(
            f'{type(self.net).__name__}: {name} depends on the image size and no rule '
            f'is known for it; give images of the native size, img_size={self.size}'
        )


def grid_size(net: nn.Module) -> Size:
    """Native grid of patches of a timm network (rows, columns)."""
    embed = getattr(net, 'patch_embed', None)
    grid = getattr(embed, 'grid_size', None) or getattr(
        net, 'tokens_spatial_shape', None
    )
    if grid is None:
        raise InputError(f'{type(net).__name__} has no grid of patches')
    return int(grid[0]), int(grid[1])


def _set_size(net: Any, native: Any, size: Size, rule: Rule) -> None:
    windows = getattr(native, '_ref_window_sizes', None)
    if windows is None:
        net.set_input_size(img_size=size)
        return
    # Without the windows timm scales them with the image.
    more = {'always_partition': True} if rule.native_windows else {}
    net.set_input_size(img_size=size, window_size=windows, **more)
    for block, own in zip(net.modules(), native.modules(), strict=True):
        if not any(getattr(block, 'shift_size', ())):
            continue
        if rule.native_windows:
            still = not any(own.shift_size)
        else:
            room = min(block.input_resolution)
            still = rule.square_windows and room <= max(block.window_size)
        if still:
            block.shift_size = (0, 0)
            block._init_buffers()


def pad_before_shifting(net: Any) -> None:
    """Let Swin pad its maps to whole windows before it shifts them, not after.

    Its authors' detectors and transformers do so; timm shifts first.
    """
    for block in net.modules():
        if hasattr(block, 'shift_size') and hasattr(block, '_attn'):
            block._attn = MethodType(_attend_padded, block)


def _attend_padded(block: Any, x: Tensor) -> Tensor:
    height, width = x.shape[1:3]
    below, right = -height % block.window_size[0], -width % block.window_size[1]
    padded = pad(x, (0, 0, 0, right, 0, below))
    return type(block)._attn(block, padded)[:, :height, :width].contiguous()


def _share(net: Any, own: dict[str, Tensor]) -> None:
    """Put another network's parameters and buffers in the place of the own."""
    for name, value in net.state_dict(keep_vars=True).items():
        if value.shape == own[name].shape:
            place, _, leaf = name.rpartition('.')
            module = net.get_submodule(place)
            store = (
                module._parameters if leaf in module._parameters else module._buffers
            )
            store[leaf] = own[name]
