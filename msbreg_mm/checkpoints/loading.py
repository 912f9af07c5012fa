"""Load a checkpoint's backbone into a model, completely or with an error."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from msbreg_mm.checkpoints.architectures import describe
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike
from msbreg_mm.checkpoints.reading import Checkpoint, Source, read_checkpoint

_SHOWN = 20


@dataclass
class MatchReport:
    """What a checkpoint gave to a model.

    Args:
        format: Project that wrote the file.
        arch: Architecture of the file's backbone.
        source: ``'online'`` or ``'target'`` network.
        sha256: Of the file.
        path: Of the file.
        matched: Parameters and buffers loaded, canonical names.
        missing: In the model, not in the file.
        unexpected: In the file's backbone, without a place in the model.
        mismatched: In both, with different shapes: ``'name: file → model'``.
        ignored: Of the file, outside the backbone or of a stage that the model
            leaves out by design.
        resized: Position embeddings that the model interpolates.
        partial: Whether something is missing, unexpected or mismatched and was
            allowed to be.
        notes: What a user should know.
    """

    format: str
    arch: str
    source: str
    sha256: str
    path: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    partial: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every weight of the backbone came from the file."""
        return not (self.missing or self.unexpected or self.mismatched)

    def summary(self) -> str:
        """One short paragraph for people."""
        kind = 'PARTIAL: ' if self.partial else ''
        counts = ', '.join(
            f'{len(getattr(self, name))} {name}'
            for name in ('missing', 'unexpected', 'mismatched', 'resized', 'ignored')
            if getattr(self, name)
        )
        text = (
            f'{kind}{self.arch} from {self.format} ({self.source} network, sha256 '
            f'{self.sha256[:12]}): {len(self.matched)} tensors matched'
        )
        return '. '.join([text + (f'; {counts}' if counts else ''), *self.notes]) + '.'

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON."""
        return asdict(self)


def load_backbone(
    model: nn.Module,
    path: PathLike,
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
        path: A file, or a Hugging Face folder.
        allow_partial: Load what fits and write the rest into the report.
        trust: Allow a pickle to run the code that it brings along.
        source: See :func:`read_checkpoint`.

    Returns:
        What was loaded.

    Raises:
        CheckpointError: If the file cannot be read, has non-finite weights, or
            does not fit and ``allow_partial`` is off.
    """
    ckpt = read_checkpoint(path, trust=trust, source=source)
    places = _places(model)
    report, fitting = _match(ckpt, places, _backbone(model))
    bad = [k for k, v in fitting.items() if not torch.isfinite(v).all()]
    if bad:
        raise CheckpointError(
            f'{path}: {len(bad)} tensors have NaN or infinite values: {_list(bad)}; '
            'the pretraining diverged, use an earlier checkpoint'
        )
    if not fitting or not (report.complete or allow_partial):
        raise CheckpointError(_explain(report, describe(_states(places))))
    report.partial = not report.complete
    for module in {id(m): m for m in places.values()}.values():
        own = {k: v for k, v in fitting.items() if places[k] is module}
        module.load_state_dict(own, strict=False)
    return report


def _backbone(model: nn.Module) -> nn.Module:
    while is_model_wrapper(model):
        model = model.module
    backbone = getattr(model, 'backbone', model)
    return backbone if isinstance(backbone, nn.Module) else model


def _places(model: nn.Module) -> dict[str, nn.Module]:
    """Which module takes each canonical key: the backbone, or a C4 head."""
    while is_model_wrapper(model):
        model = model.module
    backbone = _backbone(model)
    places = dict.fromkeys(backbone.state_dict(), backbone)
    shared = getattr(getattr(model, 'roi_head', None), 'shared_head', None)
    if isinstance(shared, nn.Module):
        # The extra norm of mmpretrain's ResLayerExtraNorm is new by design.
        stage = [key for key in shared.state_dict() if key.startswith('layer')]
        places.update(dict.fromkeys(stage, shared))
    return places


def _states(places: dict[str, nn.Module]) -> dict[str, Tensor]:
    states = {id(m): m.state_dict() for m in places.values()}
    return {key: states[id(module)][key] for key, module in places.items()}


def _match(
    ckpt: Checkpoint, places: dict[str, nn.Module], backbone: nn.Module
) -> tuple[MatchReport, dict[str, Tensor]]:
    """Compare a checkpoint with a model; nothing is loaded."""
    report = MatchReport(
        ckpt.format,
        ckpt.arch,
        ckpt.source,
        ckpt.sha256,
        ckpt.path,
        ignored=list(ckpt.ignored),
        notes=list(ckpt.notes),
    )
    own, fitting = _states(places), {}
    for key, value in ckpt.state_dict.items():
        if key not in own:
            by_design = _left_out(key, backbone)
            (report.ignored if by_design else report.unexpected).append(key)
        elif value.shape == own[key].shape:
            report.matched.append(key)
            fitting[key] = value
        elif key == 'pos_embed' and hasattr(backbone, '_prepare_pos_embed'):
            report.resized.append(key)
            fitting[key] = value
        else:
            shapes = f'{tuple(value.shape)} → {tuple(own[key].shape)}'
            report.mismatched.append(f'{key}: {shapes}')
    report.missing = [
        key
        for key in own
        if key not in ckpt.state_dict and not key.endswith('num_batches_tracked')
    ]
    _compare_settings(ckpt, backbone, report)
    return report, fitting


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


def _compare_settings(
    ckpt: Checkpoint, backbone: nn.Module, report: MatchReport
) -> None:
    """Settings that change the function of the same weights count as mismatches."""
    style = getattr(backbone, 'style', None)
    if ckpt.style and isinstance(style, str) and style != ckpt.style:
        report.mismatched.append(f'style (stride position): {ckpt.style} → {style}')
    try:
        heads = backbone.layers[0].attn.num_heads  # type: ignore[index,union-attr]
    except (AttributeError, IndexError, TypeError):
        return
    if ckpt.num_heads and heads != ckpt.num_heads:
        report.mismatched.append(f'attention heads: {ckpt.num_heads} → {heads}')


def _explain(report: MatchReport, arch: str) -> str:
    lines = [f'{report.path} does not fit the model.']
    if arch != report.arch:
        lines.append(
            f"The checkpoint is {report.arch} ({report.format}), the model's backbone "
            f'is {arch}: use a checkpoint of that architecture or change the config.'
        )
    for name in ('missing', 'unexpected', 'mismatched'):
        if keys := getattr(report, name):
            lines.append(f'{name} ({len(keys)}): {_list(keys)}')
    if report.matched:
        lines.append(
            f'{len(report.matched)} tensors would match; allow_partial=True '
            '(--allow-partial) loads these and writes the rest into the report.'
        )
    return '\n'.join(lines)


def _list(keys: list[str]) -> str:
    more = f', … {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    return ', '.join(keys[:_SHOWN]) + more
