"""Which network of timm a checkpoint belongs to, and under which names.

The structure is read from the keys and shapes, which show it; the rest from the
file's own config, else from the tables of :mod:`msbreg_mm.checkpoints.known`. Every
blueprint is compared key by key with the network that timm builds from it.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from torch import Tensor, nn

from msbreg_mm.checkpoints.architectures import count
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.known import (
    ACTIVATIONS,
    HF_DEFAULTS,
    Size,
    known_size,
)
from msbreg_mm.checkpoints.names_vit import MM_TO_TIMM
from msbreg_mm.checkpoints.reading import Checkpoint

State = dict[str, Tensor]


@dataclass
class Blueprint:
    """How to build a checkpoint's network with timm.

    Args:
        model_name: timm's name of it, or of the next published one.
        model_args: What differs from that, for ``timm.create_model``.
        state: Weights by timm's names.
        resize: Rule by which positions follow the image size.
        norm_eps: Epsilon of the norms where it is not timm's.
        final_norm: Whether the original's tokens go through the last norm.
        notes: What was assumed.
    """

    model_name: str
    model_args: dict[str, Any]
    state: State
    resize: str = 'timm'
    norm_eps: float | dict[str, float] | None = None
    final_norm: bool | str = True
    notes: list[str] = field(default_factory=list)

    def arguments(self) -> dict[str, Any]:
        """Arguments of ``msbreg_mm.TimmBackbone``, plain values."""
        settings: dict[str, Any] = {'model_name': self.model_name, **self.model_args}
        settings['resize'] = self.resize
        if self.norm_eps is not None:
            settings['norm_eps'] = self.norm_eps
        if self.final_norm is not True:
            settings['final_norm'] = self.final_norm
        return settings


def timm_names(ckpt: Checkpoint) -> State:
    """Rename a checkpoint's canonical weights to timm's names."""
    state = ckpt.state_dict
    if not any(key.startswith('patch_embed.projection.') for key in state):
        return dict(state)
    return {_rename(key): value for key, value in state.items()}


def _rename(key: str) -> str:
    for pattern, replacement in MM_TO_TIMM:
        new, found = re.subn(f'^{pattern}', replacement, key)
        if found:
            return new
    return key


class Reader:
    """Facts of one checkpoint, for the families' functions.

    Args:
        ckpt: The checkpoint.
        given: What the user says, ahead of everything else.
    """

    def __init__(self, ckpt: Checkpoint, given: Mapping[str, Any]) -> None:
        self.ckpt = ckpt
        self.state = timm_names(ckpt)
        self.given = dict(given)
        self.facts = ckpt.facts
        self.notes: list[str] = []
        self.is_hf = ckpt.layout.startswith('hf_')

    def has(self, pattern: str) -> bool:
        """Whether a key matches from its start."""
        return any(re.match(pattern, key) for key in self.state)

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of a tensor that the network cannot do without."""
        if key not in self.state:
            raise CheckpointError(
                f'{self.ckpt.path} lacks {key}, so its architecture cannot be told; '
                'fetch the file again'
            )
        return tuple(self.state[key].shape)

    def pop(self, *keys: str) -> None:
        """Leave tensors out that the network does not use."""
        for key in keys:
            self.state.pop(key, None)

    def blocks(self) -> int:
        """Number of blocks of a plain network."""
        return count(self.state, r'blocks\.(\d+)\.')

    def say(self, name: str) -> Any:
        """A fact of the config file, of the user, or None."""
        return self.given.get(name, self.facts.get(name))

    def heads(self, family: str, width: int) -> tuple[int, Size | None]:
        """Attention heads: said by the user or the file, else of a published net.

        Raises:
            CheckpointError: If nobody says it.
        """
        size = known_size(family, width, self.blocks())
        given = self.given.get('num_heads') or self.facts.get('num_attention_heads')
        if given is None:
            given = self.ckpt.said_heads
        if isinstance(given, int):
            return given, size if size and size.heads == given else None
        if size is None:
            raise CheckpointError(
                f'{self.ckpt.path}: unknown architecture ({family}, {width} wide, '
                f'{self.blocks()} blocks): the file does not say its number of '
                'attention heads and no published network is like that; pass '
                "num_heads=…, or timm's name of it, arch='vit_base_patch16_224'"
            )
        if not self.is_hf and family == 'vit' and self.ckpt.format == 'timm':
            self.notes.append(
                f'{size.heads} attention heads, as published networks of this width '
                'and depth have; the file does not say it (num_heads=… does)'
            )
        return size.heads, size

    def norm_eps(self) -> float | None:
        """Epsilon that transformers' file says, or its class assumes."""
        for key in ('layer_norm_eps', 'rms_norm_eps'):
            if isinstance(self.facts.get(key), float | int):
                return float(self.facts[key])
        default = HF_DEFAULTS.get(self.ckpt.layout)
        return default[0] if default else None

    def activation(self) -> str | None:
        """Activation that transformers' file says, or its class assumes."""
        default = HF_DEFAULTS.get(self.ckpt.layout)
        name = self.facts.get('hidden_act', default[1] if default else None)
        if name is not None and name not in ACTIVATIONS:
            raise CheckpointError(
                f'{self.ckpt.path}: activation {name!r} of its config.json is unknown; '
                f'known are {sorted(ACTIVATIONS)}'
            )
        return ACTIVATIONS[name] if name else None

    def grid(self, tokens: int) -> int:
        """Side of a square grid of tokens.

        Raises:
            CheckpointError: If it is not square and no image size was given.
        """
        side = math.isqrt(tokens)
        if side * side != tokens:
            raise CheckpointError(
                f'{self.ckpt.path}: {tokens} position embeddings are no square grid; '
                'pass img_size=(height, width) of the images that it was trained on'
            )
        return side


def layers_by_name(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Put timm's classes in the place of their names; ``None`` is timm's default.

    Args:
        model_args: For ``timm.create_model``; ``mlp_layer`` may be the name of a class
            in ``timm.layers``, ``norm_layer`` one of timm's names of norms.

    Returns:
        What timm takes.
    """
    args = {key: value for key, value in model_args.items() if value is not None}
    if isinstance(args.get('mlp_layer'), str):
        args['mlp_layer'] = getattr(timm.layers, args['mlp_layer'])
    if isinstance(args.get('norm_layer'), str):
        args['norm_layer'] = timm.layers.get_norm_layer(args['norm_layer'])
    return args


def meta_network(model_name: str, **model_args: Any) -> nn.Module:
    """Build a network without memory, to compare keys and shapes with."""
    args = layers_by_name({k: v for k, v in model_args.items() if k != 'rope'})
    with torch.device('meta'):
        return timm.create_model(model_name, num_classes=0, **args)


def differences(net: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Compare keys and shapes; what stops a state dict from fitting, as texts."""
    own = net.state_dict()
    lines = [f'missing {key}' for key in own if key not in state]
    for key, value in state.items():
        if key not in own:
            lines.append(f'unexpected {key} {tuple(value.shape)}')
        elif own[key].shape != value.shape:
            lines.append(f'{key}: {tuple(value.shape)} → {tuple(own[key].shape)}')
    return [line for line in lines if not line.endswith('num_batches_tracked')]


Family = Callable[[Reader], Blueprint]
