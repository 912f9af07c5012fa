"""Find the network of timm that a checkpoint belongs to."""

import contextlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import timm
from torch import nn

from msbreg_mm.checkpoints import blueprints_conv, blueprints_vit
from msbreg_mm.checkpoints.blueprints import (
    Blueprint,
    Family,
    Reader,
    State,
    differences,
    meta_network,
)
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.known import candidates
from msbreg_mm.checkpoints.reading import Checkpoint
from msbreg_mm.checkpoints.report import shorten

_BY_LAYOUT: Mapping[str, Family] = {
    'openai_clip': blueprints_vit.clip,
    'hf_clip': blueprints_vit.clip,
    'hf_siglip': blueprints_vit.siglip,
    'aimv2': blueprints_vit.aimv2,
    'hf_aimv2': blueprints_vit.aimv2,
    'hf_dinov3': blueprints_vit.dinov3,
    'hf_vjepa2': blueprints_vit.vjepa2,
    'capi': blueprints_vit.capi,
    'hf_hiera': blueprints_conv.hiera,
}
# (pattern of a key by timm's names, family); the first match is taken
_BY_KEY: tuple[tuple[str, Family], ...] = (
    (r'stages\.0\.blocks\.0\.conv_dw\.', blueprints_conv.convnext),
    (r'layers\.0\.blocks\.0\.attn\.logit_scale', blueprints_conv.swinv2),
    (r'layers\.0\.blocks\.0\.attn\.', blueprints_conv.swin),
    (r'layer1\.0\.conv1\.', blueprints_conv.resnet),
    (r'.*relative_position_bias_table$', blueprints_vit.beit),
    (r'.*storage_tokens$', blueprints_vit.dinov3),
    (r'blocks\.0\.mlp\.fc1_g\..*$', blueprints_vit.aimv2),
    (r'attn_pool\.latent$', blueprints_vit.siglip),
    (r'norm_pre\.', blueprints_vit.clip),
)


def blueprint(
    ckpt: Checkpoint, arch: str | None = None, **model_args: Any
) -> Blueprint:
    """Say how timm builds a checkpoint's network, and its weights by timm's names.

    Args:
        ckpt: The checkpoint.
        arch: timm's name of the architecture, where the file does not say it.
        model_args: Arguments of ``timm.create_model``, ahead of what the file says.

    Returns:
        A blueprint that fits key by key.

    Raises:
        CheckpointError: If the architecture is unknown, or does not fit.
    """
    said = _said(ckpt)
    if arch is None and said is not None:
        arch, model_args = said[0], said[1] | model_args
    settings: dict[str, Any] = {
        key: model_args.pop(key)
        for key in ('resize', 'norm_eps', 'final_norm', 'pad')
        if key in model_args
    }
    settings.pop('pad', None)
    reader = Reader(ckpt, model_args)
    family = _family(reader)
    if arch is not None:
        return _as_told(reader, family, arch, model_args, settings)
    problem: CheckpointError | None = None
    if family is not None:
        try:
            plan = family(reader)
            plan.model_args |= model_args
            for key, value in settings.items():
                setattr(plan, key, value)
            return _fitting(ckpt, plan)
        except CheckpointError as error:
            problem = error
    for name in _hinted(ckpt):
        with contextlib.suppress(CheckpointError):
            return _candidate(Reader(ckpt, model_args), name, model_args)
    raise problem or CheckpointError(
        f'{ckpt.path}: unknown architecture ({ckpt.arch}); say which one of timm it '
        "is, e.g. arch='vit_base_patch16_224'"
    )


# Of a TimmBackbone, what is no argument of timm's.
_OWN = (
    'model_name',
    'resize',
    'norm_eps',
    'final_norm',
    'pad',
    'out_indices',
    'img_size',
)

# Of a config's backbone, what says nothing of its function.
_OF_TRAINING = (
    'model_name',
    'out_indices',
    'pad',
    'drop_path_rate',
    'grad_checkpointing',
)


def for_backbone(
    ckpt: Checkpoint, settings: Mapping[str, Any]
) -> tuple[Checkpoint, list[str]]:
    """Name a checkpoint's weights as a ``TimmBackbone`` of these settings does.

    Args:
        ckpt: The checkpoint.
        settings: Of the backbone: ``model_name``, ``resize`` and the rest.

    Returns:
        The checkpoint by the backbone's names, and settings by which the backbone is
        another function than the checkpoint's network.

    Raises:
        CheckpointError: If it is of another architecture.
    """
    args = {k: v for k, v in settings.items() if k not in _OWN}
    plan = blueprint(ckpt, settings['model_name'], **args)
    different = []
    placed = ('pos_embed', 'relative_position_bias_table')
    if any(key.endswith(placed) for key in plan.state):
        rule = settings.get('resize', 'timm')
        if plan.resize != rule:
            different.append(
                f'resize (rule of position embeddings): {plan.resize} → {rule}'
            )
    if plan.norm_eps is not None and plan.norm_eps != settings.get('norm_eps'):
        different.append(f'norm_eps: {plan.norm_eps} → {settings.get("norm_eps")}')
    state = {f'net.{key}': value for key, value in plan.state.items()}
    notes = [*ckpt.notes, *plan.notes]
    return replace(ckpt, arch=plan.model_name, state_dict=state, notes=notes), different


def _said(ckpt: Checkpoint) -> tuple[str, dict[str, Any]] | None:
    """Architecture and arguments that the file itself names."""
    own = ckpt.facts.get('timm')
    if isinstance(own, Mapping) and isinstance(own.get('model_name'), str):
        rest = {k: v for k, v in own.items() if k not in _OF_TRAINING}
        return own['model_name'], rest
    name = ckpt.facts.get('architecture')
    if not isinstance(name, str):
        return None
    if not timm.is_model(name):
        if ckpt.arch == name:  # our own writer's name, of what timm has no name for
            return None
        raise CheckpointError(
            f'{ckpt.path}: its config.json names the architecture {name!r}, which this '
            'timm does not have; update timm or pass arch=…'
        )
    given = ckpt.facts.get('model_args')
    args = dict(given) if isinstance(given, Mapping) else {}
    if isinstance(pool := ckpt.facts.get('global_pool'), str):
        args.setdefault('global_pool', pool)
    return name, args


def _family(reader: Reader) -> Family | None:
    if reader.ckpt.layout in _BY_LAYOUT:
        return _BY_LAYOUT[reader.ckpt.layout]
    patches = reader.state.get('patch_embed.proj.weight')
    if patches is not None and patches.ndim == 5:
        return blueprints_vit.vjepa2
    for pattern, family in _BY_KEY:
        if reader.has(pattern):
            return family
    # BEiT without relative positions has its scales, but separate biases.
    if reader.has(r'blocks\.0\.attn\.q_bias') and reader.ckpt.layout == 'hf_vit':
        return blueprints_vit.beit
    return blueprints_vit.vit if reader.has(r'blocks\.0\.') else None


def _as_told(
    reader: Reader,
    family: Family | None,
    arch: str,
    model_args: dict[str, Any],
    settings: dict[str, Any],
) -> Blueprint:
    """A named architecture, with the settings that the file's project implies."""
    _check_name(arch)
    try:
        heads = _heads(meta_network(arch, **model_args))
    except Exception as error:
        raise CheckpointError(
            f'timm cannot build {arch} with {model_args}: {error}'
        ) from None
    said = reader.facts.get('num_attention_heads')
    if isinstance(said, int) and heads and said != heads:
        raise CheckpointError(
            f'{reader.ckpt.path}: its config.json says {said} attention heads, {arch} '
            f'has {heads}: not that architecture (or pass num_heads={said})'
        )
    if heads:
        reader.given.setdefault('num_heads', heads)
    plan = None
    if family is not None:
        with contextlib.suppress(CheckpointError):
            plan = family(reader)
    if plan is None:
        plan = Blueprint(arch, {}, reader.state)
    size = plan.model_args.get('img_size')
    placed = ('pos_embed', 'blocks.0.attn.relative_position', 'rel_pos_bias.')
    fixed = any(key.startswith(placed) for key in plan.state)
    keep = {'img_size': size} if size and fixed else {}
    if 'architecture' in reader.facts:  # timm's own folder
        plan.resize = 'timm'
    if reader.is_hf:
        keep |= {
            key: plan.model_args[key]
            for key in ('act_layer', 'global_pool')
            if plan.model_args.get(key) is not None
        }
    plan.model_name, plan.model_args = arch, {**keep, **model_args}
    plan.notes = []
    for key, value in settings.items():
        setattr(plan, key, value)
    return _fitting(reader.ckpt, plan)


def _hinted(ckpt: Checkpoint) -> list[str]:
    """Names that a training script's options give, then those of the layout."""
    options = ckpt.facts.get('args')
    options = options if isinstance(options, Mapping) else {}
    said = [ckpt.facts.get('arch'), options.get('model'), options.get('arch')]
    names = [name for name in said if isinstance(name, str) and timm.is_model(name)]
    return names + list(candidates(ckpt.layout))


def _candidate(reader: Reader, name: str, model_args: dict[str, Any]) -> Blueprint:
    rule = 'radio' if reader.ckpt.layout == 'radio' else 'timm'
    size = {}
    if rule == 'radio':
        tokens = reader.shape('radio_model.model.patch_generator.pos_embed')[1]
        size = {'img_size': reader.grid(tokens) * 16}
    plan = Blueprint(name, {**size, **model_args}, dict(reader.state), rule)
    return _fitting(reader.ckpt, plan)


def _fitting(ckpt: Checkpoint, plan: Blueprint) -> Blueprint:
    """Give the state timm's last names and compare it with the network's."""
    _check_name(plan.model_name)
    try:
        net = meta_network(plan.model_name, **plan.model_args)
    except Exception as error:  # what timm's classes raise is not limited
        raise CheckpointError(
            f'{ckpt.path}: timm cannot build {plan.model_name} with '
            f'{plan.model_args}: {error}'
        ) from None
    plan.state = _by_timm(net, plan.state)
    lines = differences(net, plan.state)
    if lines:
        raise CheckpointError(
            f'{ckpt.path} does not fit {plan.model_name} '
            f'({len(lines)} differences): {shorten(lines)}. If it is another '
            "architecture of timm, pass its name, e.g. arch='vit_base_patch16_224'"
        )
    heads = _heads(net)
    if heads and ckpt.said_heads not in (None, heads):
        raise CheckpointError(
            f'{ckpt.path} has {ckpt.said_heads} attention heads, {plan.model_name} '
            f'{heads}; pass num_heads={ckpt.said_heads}'
        )
    plan.model_args = _shortest(plan, net)
    return plan


def _by_timm(net: nn.Module, state: State) -> State:
    """Let timm's own converter of this class rename what it knows."""
    convert = getattr(sys.modules[type(net).__module__], 'checkpoint_filter_fn', None)
    if convert is None:
        return state
    root = logging.getLogger('timm')
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        named = dict(convert(dict(state), net))
        # It also resizes patches and positions to the network's: that is no fit.
        resized = [
            key
            for key, value in named.items()
            if key in state and value.numel() != state[key].numel()
        ]
        return named | {key: state[key] for key in resized}
    except Exception:  # it takes any layout for one that it knows
        return state
    finally:
        root.setLevel(level)


def _shortest(plan: Blueprint, net: nn.Module) -> dict[str, Any]:
    """Drop arguments that the named network has anyway."""
    args = {k: v for k, v in plan.model_args.items() if v is not None}
    few: dict[str, Any] = {
        k: args[k] for k in ('img_size', 'act_layer', 'global_pool') if k in args
    }
    try:
        other = meta_network(plan.model_name, **few)
    except Exception:
        return args
    same = ('no_embed_class', 'num_prefix_tokens', 'global_pool')
    if (
        differences(other, plan.state)
        or _heads(other) != _heads(net)
        or repr(other) != repr(net)
        or any(getattr(other, n, None) != getattr(net, n, None) for n in same)
    ):
        return args
    return few


def _heads(net: nn.Module) -> int | None:
    blocks = getattr(net, 'blocks', None)
    if isinstance(blocks, nn.Module):
        for module in blocks.modules():
            if isinstance(heads := getattr(module, 'num_heads', None), int):
                return heads
    return None


def _check_name(name: str) -> None:
    if not timm.is_model(name):
        close = timm.list_models(f'*{name.split("_")[0]}*')[:8]
        raise CheckpointError(
            f'timm has no architecture {name!r}; it has {", ".join(close)} …'
        )
