"""Load a checkpoint's backbone into a model, completely or with an error."""

import hashlib
import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from msbreg_mm.checkpoints.architectures import describe
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike
from msbreg_mm.checkpoints.reading import Checkpoint, Source, read_checkpoint
from msbreg_mm.checkpoints.report import MatchReport, shorten
from msbreg_mm.utils.upstream import unwrap


def load_backbone(
    model: nn.Module,
    path: PathLike | Checkpoint,
    *,
    allow_partial: bool = False,
    trust: bool = False,
    source: Source | None = None,
) -> MatchReport:
    """Load a checkpoint of any supported format into a model's backbone.

    Everything is compared before anything is loaded: on an error the model is
    unchanged. ``layer4`` goes to ``roi_head.shared_head`` in C4 detectors.

    Args:
        model: An mmdet detector, mmpretrain classifier or self-supervised model,
            mmseg segmentor (anything with ``backbone``), or a backbone.
        path: A file, a Hugging Face folder, or what :func:`read_checkpoint` gave.
        allow_partial: Load what fits and write the rest into the report.
        trust: Allow a pickle to run the code that it brings along.
        source: See :func:`read_checkpoint`.

    Returns:
        What was loaded.

    Raises:
        CheckpointError: If the file cannot be read, has non-finite weights or
            negative variances, or does not fit and ``allow_partial`` is off.
    """
    ckpt = (
        path
        if isinstance(path, Checkpoint)
        else read_checkpoint(path, trust=trust, source=source)
    )
    report, fitting, places = _compare(model, ckpt, allow_partial)
    for module in _unique(places):
        part = {key: v for key, v in fitting.items() if places[key] is module}
        module.load_state_dict(part, strict=False)
    report.fingerprint = fingerprint(_states(places), report.matched)
    return report


def fingerprint(state: Mapping[str, Tensor], keys: Iterable[str]) -> str:
    """Hash of tensors, to see whether they still are what was loaded.

    Args:
        state: Tensors by name.
        keys: Which of them.

    Returns:
        SHA-256 over names and values, 64 hexadecimal digits; the same on every device.
    """
    digest = hashlib.sha256()
    for key in sorted(keys):
        value = state[key].detach().cpu().contiguous().reshape(-1)
        digest.update(f'{key} {value.dtype}'.encode())
        digest.update(value.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def verify_loaded(model: nn.Module, report: MatchReport) -> None:
    """Prove that a model's backbone still holds what was loaded.

    Building, wrapping and other hooks come after loading; one that draws weights again
    would go unnoticed.

    Args:
        model: As for :func:`load_backbone`.
        report: What that returned.

    Raises:
        CheckpointError: If a loaded tensor has changed since.
    """
    model = unwrap(model)
    state = _states(_places(model, getattr(model, 'backbone', model)))
    if fingerprint(state, report.matched) != report.fingerprint:
        raise CheckpointError(
            f'the backbone no longer holds {report.path}: its weights were changed '
            'after they were loaded, by init_weights() or a hook; load them last'
        )


def match_backbone(
    model: nn.Module, ckpt: Checkpoint, *, allow_partial: bool = False
) -> MatchReport:
    """Say what :func:`load_backbone` would load; nothing is.

    Args:
        model: As for :func:`load_backbone`; its tensors may be on the meta device.
        ckpt: A checkpoint that was read.
        allow_partial: As for :func:`load_backbone`.

    Raises:
        CheckpointError: As :func:`load_backbone`.
    """
    return _compare(model, ckpt, allow_partial)[0]


def _compare(
    model: nn.Module, ckpt: Checkpoint, allow_partial: bool
) -> tuple[MatchReport, dict[str, Tensor], dict[str, nn.Module]]:
    model = unwrap(model)
    backbone = getattr(model, 'backbone', model)
    different: list[str] = []
    if (settings := getattr(backbone, 'timm_settings', None)) is not None:
        # timm is imported only where it is used.
        from msbreg_mm.checkpoints.resolving import for_backbone

        ckpt, different = for_backbone(ckpt, settings)
    places = _places(model, backbone)
    own = _states(places)
    report, fitting = _match(ckpt, own, backbone)
    report.mismatched += different
    report.mismatched += _different_settings(ckpt, [backbone, *_unique(places)])
    check_finite(ckpt.path, fitting)
    if not fitting or not (report.complete or allow_partial):
        arch = settings['model_name'] if settings else describe(own)
        raise CheckpointError(report.explain(arch))
    report.partial = not report.complete
    return report, fitting, places


def check_finite(path: PathLike, state: dict[str, Tensor]) -> None:
    """Refuse weights with NaN or infinite values, and variances below zero.

    Args:
        path: Of the file, for the message.
        state: Any state dict.

    Raises:
        CheckpointError: If there are any.
    """
    bad = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if bad:
        raise CheckpointError(
            f'{path}: {len(bad)} tensors have NaN or infinite values: {shorten(bad)}; '
            'the training diverged, use an earlier checkpoint'
        )
    bad = [k for k, v in state.items() if k.endswith('running_var') and (v < 0).any()]
    if bad:
        raise CheckpointError(
            f'{path}: {len(bad)} running variances are negative: {shorten(bad)}; no '
            'training writes that, fetch the file again or use an earlier checkpoint'
        )


def _places(model: nn.Module, backbone: nn.Module) -> dict[str, nn.Module]:
    """Which module takes each canonical key: the backbone, or a C4 head."""
    places = dict.fromkeys(backbone.state_dict(), backbone)
    shared = getattr(getattr(model, 'roi_head', None), 'shared_head', None)
    if isinstance(shared, nn.Module):
        # The extra norm of mmpretrain's ResLayerExtraNorm is new by design.
        stage = [key for key in shared.state_dict() if key.startswith('layer')]
        places.update(dict.fromkeys(stage, shared))
    return places


def _unique(places: dict[str, nn.Module]) -> list[nn.Module]:
    return list({id(module): module for module in places.values()}.values())


def _states(places: dict[str, nn.Module]) -> dict[str, Tensor]:
    states = {id(module): module.state_dict() for module in _unique(places)}
    return {key: states[id(module)][key] for key, module in places.items()}


def _match(
    ckpt: Checkpoint, own: dict[str, Tensor], backbone: nn.Module
) -> tuple[MatchReport, dict[str, Tensor]]:
    """Compare a checkpoint with a model; nothing is loaded."""
    report, fitting = MatchReport.of(ckpt), {}
    for key, value in ckpt.state_dict.items():
        if key not in own:
            by_design = _left_out(key, backbone)
            (report.ignored if by_design else report.unexpected).append(key)
        elif value.shape == own[key].shape:
            report.matched.append(key)
            fitting[key] = value
        elif key == 'pos_embed' and _can_resize(value, own[key], backbone):
            report.resized.append(key)
            fitting[key] = _without_class_token(value, backbone)
        else:
            shapes = f'{tuple(value.shape)} → {tuple(own[key].shape)}'
            report.mismatched.append(f'{key}: {shapes}')
    report.missing = [
        key
        for key in own
        if key not in ckpt.state_dict and not key.endswith('num_batches_tracked')
    ]
    new = [key for key in report.missing if _new_by_design(key, backbone)]
    if new:
        report.missing = [key for key in report.missing if key not in new]
        report.notes.append(
            f'{shorten(new)} are of the norm of averaged features, which no '
            'pretraining has: they keep their initial values'
        )
    return report, fitting


def _new_by_design(key: str, backbone: nn.Module) -> bool:
    """Whether no pretraining gives a key: mmpretrain's norm after the average."""
    averages = getattr(backbone, 'out_type', None) == 'avg_featmap'
    return averages and key in ('ln2.weight', 'ln2.bias')


def _left_out(key: str, backbone: nn.Module) -> bool:
    """Whether the model has no place for a key by its own configuration."""
    stages = getattr(backbone, 'num_stages', None)
    if key.startswith('layer') and isinstance(stages, int):
        stage = key[len('layer') :].split('.')[0]
        return stage.isdigit() and int(stage) > stages
    if key == 'cls_token':
        return getattr(backbone, 'with_cls_token', True) is False
    if key.startswith('ln1.'):
        return getattr(backbone, 'final_norm', True) is False
    return False


def _without_class_token(pos_embed: Tensor, backbone: nn.Module) -> Tensor:
    tokens = pos_embed.shape[1]
    unused = getattr(backbone, 'with_cls_token', True) is False
    return (
        pos_embed[:, 1:] if unused and math.isqrt(tokens) ** 2 != tokens else pos_embed
    )


def _can_resize(value: Tensor, own: Tensor, backbone: nn.Module) -> bool:
    """Whether mmpretrain's hook can interpolate: it takes square grids only."""
    if not hasattr(backbone, '_prepare_pos_embed') or value.ndim != 3:
        return False
    extra = int(getattr(backbone, 'num_extra_tokens', 0))
    grid = _without_class_token(value, backbone).shape[1] - extra
    same = (value.shape[0], value.shape[2]) == (own.shape[0], own.shape[2])
    return same and grid > 0 and math.isqrt(grid) ** 2 == grid


def _different_settings(ckpt: Checkpoint, modules: list[nn.Module]) -> list[str]:
    """Settings that give the same weights another function."""
    different = []
    for style in sorted({style for m in modules for style in _styles(m)}):
        if ckpt.style and style != ckpt.style:
            different.append(f'style (place of the stride): {ckpt.style} → {style}')
    layers = getattr(modules[0], 'layers', None)
    if ckpt.num_heads and isinstance(layers, nn.ModuleList) and len(layers):
        heads = getattr(getattr(layers[0], 'attn', None), 'num_heads', None)
        if heads is not None and heads != ckpt.num_heads:
            different.append(f'attention heads: {ckpt.num_heads} → {heads}')
    return different


def _styles(module: nn.Module) -> set[str]:
    """Where bottleneck blocks have their stride; mmdet's ResLayer keeps no record."""
    found = set()
    for block in module.modules():
        convs = [getattr(block, f'conv{index}', None) for index in (1, 2, 3)]
        strides = [getattr(conv, 'stride', None) for conv in convs]
        if None not in strides and strides[0] != strides[1]:
            found.add('caffe' if strides[1] == (1, 1) else 'pytorch')
    return found
