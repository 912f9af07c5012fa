"""Any network of timm as a backbone."""

from typing import Any, NamedTuple, cast

import timm
import timm.layers
import torch
from mmengine.model import BaseModule
from timm.layers import to_2tuple
from torch import Tensor, nn
from torch.nn.functional import pad

from msbreg_mm.checkpoints import load_backbone
from msbreg_mm.checkpoints.blueprints import layers_by_name
from msbreg_mm.models.backbones.resizing import RULES, Size
from msbreg_mm.models.backbones.rotary import set_rope
from msbreg_mm.models.backbones.twins import Twin, pad_before_shifting
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError

# Networks for that many other image sizes are kept: a multi-scale training's.
_TWINS = 16


class Features(NamedTuple):
    """What a backbone makes of images.

    Args:
        maps: (N, C, H, W) of each stage or block asked for.
        tokens: (N, L, C) of the last block, class and register tokens first; None
            of networks without tokens.
        pooled: (N, C), as the architecture pools: class token, mean or attention.
    """

    maps: tuple[Tensor, ...]
    tokens: Tensor | None
    pooled: Tensor


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of timm that gives maps at any image size.

    Vision transformers with and without class and register tokens, with absolute,
    relative or rotary position embeddings, ConvNeXt, Swin, ResNets and whatever else
    of timm has ``forward_intermediates``.

    Args:
        model_name: timm's name, e.g. ``'vit_small_patch16_dinov3'``.
        out_indices: Stages or blocks whose maps are returned, negative ones from
            the end; by default all stages of a hierarchical network, the last block
            of a plain one.
        img_size: Native image size, of which the position embeddings are stored; by
            default timm's.
        resize: Rule for other sizes, of
            :data:`~msbreg_mm.models.backbones.resizing.RULES`.
        final_norm: Whether the last map goes through the network's last norm;
            ``'head'`` for the norm that timm keeps behind the pooling.
        pad: Pad images with zeros to multiples of the patch (right and below); else
            an image that is no multiple is an error.
        norm_eps: Epsilon of the norms where it is not timm's: one for all, or by the
            names of the modules in which they stand.
        rope: Rotary embeddings that timm does not have: ``'vjepa2'`` or ``'capi'``
            (:mod:`~msbreg_mm.models.backbones.rotary`).
        drop_path_rate: Stochastic depth.
        grad_checkpointing: Compute activations again instead of keeping them.
        init_cfg: ``dict(type='Pretrained', checkpoint=…)`` reads any supported
            checkpoint (:func:`msbreg_mm.checkpoints.load_backbone`).
        model_args: Further arguments of ``timm.create_model``.

    Raises:
        OptionError: If timm has no such network, or an argument does not fit it.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: tuple[int, ...] | None = None,
        img_size: int | Size | None = None,
        resize: str = 'timm',
        final_norm: bool | str = True,
        pad: bool = True,
        norm_eps: float | dict[str, float] | None = None,
        rope: str | None = None,
        drop_path_rate: float = 0.0,
        grad_checkpointing: bool = False,
        init_cfg: dict[str, Any] | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(init_cfg)
        if resize not in RULES:
            raise OptionError(f'resize={resize!r}: expected one of {sorted(RULES)}')
        self.model_name, self.resize = model_name, resize
        self.final_norm, self.pad = final_norm, pad
        self._build = {'model_name': model_name, 'num_classes': 0, **model_args}
        size = {} if img_size is None else {'img_size': img_size}
        # What load_backbone compares with the checkpoint.
        self.timm_settings = {
            **{k: v for k, v in self._build.items() if k != 'num_classes'},
            **size,
            'resize': resize,
            'norm_eps': norm_eps,
            'final_norm': final_norm,
            'rope': rope,
        }
        if drop_path_rate:
            self._build['drop_path_rate'] = drop_path_rate
        self.net: Any = create(**self._build, **size)
        if norm_eps is not None:
            set_norm_eps(self.net, norm_eps)
        if rope is not None:
            set_rope(self.net, rope)
        if RULES[resize].square_windows:
            pad_before_shifting(self.net)
        if grad_checkpointing:
            self.net.set_grad_checkpointing(True)
        info = self.net.feature_info
        reductions = [entry['reduction'] for entry in info]
        self.is_plain = len(set(reductions)) == 1
        last = len(info) - 1
        maps = [i for i, stride in enumerate(reductions) if stride >= 4]
        chosen = out_indices or ((last,) if self.is_plain else tuple(maps))
        self.out_indices = tuple(
            i % len(info) for i in chosen if -len(info) <= i <= last
        )
        if len(self.out_indices) != len(chosen) or list(self.out_indices) != sorted(
            set(self.out_indices)
        ):
            raise OptionError(
                f'out_indices={out_indices}: {model_name} has {len(info)} stages or '
                'blocks; give their numbers in ascending order'
            )
        self.out_channels = [info[i]['num_chs'] for i in self.out_indices]
        self.strides = [reductions[i] for i in self.out_indices]
        self._twins: dict[Size, Twin] = {}

    @property
    def num_prefix_tokens(self) -> int:
        """Class and register tokens before the patches."""
        return int(getattr(self.net, 'num_prefix_tokens', 0))

    @property
    def native_size(self) -> Size | None:
        """Image size of the stored position embeddings; None if none are."""
        embed = getattr(self.net, 'patch_embed', None)
        size = getattr(embed, 'img_size', None)
        size = None if size is None else to_2tuple(size)
        if size is None and hasattr(self.net, 'tokens_spatial_shape'):
            strides = self.net.patch_stride
            size = [
                n * s
                for n, s in zip(self.net.tokens_spatial_shape, strides, strict=True)
            ]
        return None if size is None else (int(size[0]), int(size[1]))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps.

        Args:
            images: (N, 3, H, W).

        Returns:
            (N, C, H / stride, W / stride) of each of ``out_indices``.
        """
        return self._run(images)[0]

    def forward_features(self, images: Tensor) -> Features:
        """Return maps, tokens and the pooled vector of images (N, 3, H, W)."""
        maps, final, tokens = self._run(images)
        return Features(maps, tokens, self.net.forward_head(final, pre_logits=True))

    def init_weights(self) -> None:
        """Load ``init_cfg``'s checkpoint; timm has initialised the rest.

        A checkpoint that is there already stays: nothing is drawn again.
        """
        cfg, own = self.init_cfg, cast('Any', self)  # mmengine's flag has no type
        if cfg and not own.is_init:
            if cfg.get('type') != 'Pretrained':
                raise OptionError(
                    f'init_cfg of {self.model_name}: {cfg}; expected '
                    "dict(type='Pretrained', checkpoint=…), timm initialises the rest"
                )
            load_backbone(self, cfg['checkpoint'])
        own.is_init = True

    def _run(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor | None]:
        """Maps, timm's final features, and tokens."""
        images = self._padded(images)
        last = len(self.net.feature_info) - 1
        wanted = sorted({*self.out_indices, last})
        tokens_too = bool(self.num_prefix_tokens)
        options: dict[str, Any] = {'indices': wanted}
        if tokens_too:
            options['return_prefix_tokens'] = True
        final, raw = self._at(images)(images, **options)
        pairs = [y if tokens_too else (y, None) for y in raw]
        found = dict(zip(wanted, pairs, strict=True))
        spatial, prefix = found[last]
        tokens = None
        if self.is_plain:
            tokens = final
            if not self.final_norm:
                flat = spatial.flatten(2).transpose(1, 2)
                tokens = flat if prefix is None else torch.cat([prefix, flat], dim=1)
        maps = {index: pair[0] for index, pair in found.items()}
        if self.final_norm:
            maps[last] = self._as_map(final, spatial)
        return tuple(maps[index] for index in self.out_indices), final, tokens

    def _as_map(self, final: Tensor, like: Tensor) -> Tensor:
        """Bring timm's final features into the form of a map."""
        if final.ndim == 3:
            patches = final[:, final.shape[1] - like.shape[2] * like.shape[3] :]
            return patches.transpose(1, 2).reshape(like.shape).contiguous()
        if getattr(self.net, 'output_fmt', 'NCHW') == 'NHWC' or (
            final.shape != like.shape and final.shape[-1] == like.shape[1]
        ):
            final = final.permute(0, 3, 1, 2).contiguous()
        if self.final_norm == 'head':
            final = self.net.head.norm(final)
        # EfficientNets end in layers of a classifier, which are no map's.
        return final if final.shape == like.shape else like

    def _padded(self, images: Tensor) -> Tensor:
        embed = getattr(self.net, 'patch_embed', None)
        unit = to_2tuple(getattr(embed, 'patch_size', None) or 1)
        if hasattr(self.net, 'tokens_spatial_shape'):  # Hiera: whole mask units
            unit = to_2tuple(max(e['reduction'] for e in self.net.feature_info))
        height, width = images.shape[-2:]
        below, right = -height % unit[0], -width % unit[1]
        if (below or right) and not self.pad:
            raise OptionError(
                f'{self.model_name}: images of {height} × {width} are no multiple of '
                f'the patch {unit}; resize them or pass pad=True'
            )
        return pad(images, (0, right, 0, below)) if below or right else images

    def _at(self, images: Tensor) -> Any:
        """The network for this image size."""
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if self.native_size in (None, size):
            return self.net.forward_intermediates
        if size not in self._twins:
            while len(self._twins) >= _TWINS:
                del self._twins[next(iter(self._twins))]
            self._twins[size] = Twin(self.net, size, RULES[self.resize], self._build)
        return self._twins[size]

    def _apply(self, *args: Any, **kwargs: Any) -> nn.Module:
        self._twins.clear()  # their buffers would stay on the other device
        return super()._apply(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_twins': {}}


def create(**build: Any) -> Any:
    """``timm.create_model`` with layers by name and errors that say what to do.

    Args:
        build: ``model_name`` and further arguments, see
            :func:`msbreg_mm.checkpoints.blueprints.layers_by_name`.

    Returns:
        The network, randomly initialised.

    Raises:
        OptionError: If timm has no such network, or an argument does not fit it.
    """
    name = build['model_name']
    if not timm.is_model(name):
        close = timm.list_models(f'*{name.split("_")[0]}*')[:8]
        raise OptionError(f'timm has no network {name!r}; it has {", ".join(close)} …')
    try:
        net = timm.create_model(**layers_by_name(build))
    except (
        TypeError,
        AssertionError,
        AttributeError,
        RuntimeError,
        ValueError,
    ) as error:
        raise OptionError(f'timm cannot build {name} with {build}: {error}') from error
    if not hasattr(net, 'forward_intermediates'):
        raise OptionError(f'{name} of timm has no forward_intermediates, so no maps')
    return net


def set_norm_eps(net: nn.Module, eps: float | dict[str, float]) -> None:
    """Set the epsilon of LayerNorms and RMSNorms.

    Args:
        net: A network of timm.
        eps: For all of them, or by the start of their names.
    """
    wanted = eps if isinstance(eps, dict) else {'': eps}
    for name, module in net.named_modules():
        if isinstance(module, nn.LayerNorm | nn.RMSNorm | timm.layers.RmsNorm):
            for start, value in wanted.items():
                if name.startswith(start):
                    module.eps = value
