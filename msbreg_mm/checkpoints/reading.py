"""Read any supported checkpoint into one canonical form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from msbreg_mm.checkpoints import families
from msbreg_mm.checkpoints.architectures import describe, is_bottleneck
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike, open_path, sha256

Source = Literal['online', 'target']

# Of these the authors evaluate the teacher; of all others the trained network.
_TARGET_BY_DEFAULT = ('dino', 'dinov2')
# C4 detectors keep the last ResNet stage in the box head.
_LAST_STAGE = (r'(?:.*\.)?roi_head\.shared_head\.(?=layer4\.)',)
_D2_LAST_STAGE = r'(?:.*\.)?roi_heads\.(?=res5\.)'
_META = ('epoch', 'iter', 'iteration', 'step', 'arch', 'experiment_name', 'seed')


@dataclass
class Checkpoint:
    """A backbone read from a file.

    Args:
        format: Project that wrote it (see docs/checkpoints.md).
        arch: Architecture, e.g. ``'resnet50'``.
        state_dict: Canonical (mmpretrain) backbone weights.
        source: ``'online'`` or ``'target'`` (momentum) network.
        sha256: Of the file.
        path: Of the file, as given.
        ignored: Keys of the file outside this backbone.
        style: Where a bottleneck block's stride stands: ``'pytorch'`` (3×3) or
            ``'caffe'`` (1×1); None if the file does not say.
        num_heads: Attention heads of a ViT; None if the file does not say.
        meta: Small facts from the file (epoch, iteration, …).
        notes: What a user should know about this file.
    """

    format: str
    arch: str
    state_dict: dict[str, Tensor]
    source: Source = 'online'
    sha256: str = ''
    path: str = ''
    ignored: list[str] = field(default_factory=list)
    style: str | None = None
    num_heads: int | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_checkpoint(
    path: PathLike, *, trust: bool = False, source: Source | None = None
) -> Checkpoint:
    """Read the backbone of any supported checkpoint, recognised by content.

    Args:
        path: A file, or a Hugging Face folder.
        trust: Allow a pickle to run the code that it brings along.
        source: Which of two networks: ``'online'`` or ``'target'`` (momentum,
            teacher). By default the one that the method's authors evaluate: the
            teacher for DINO and DINOv2, the online network else, ours included.

    Returns:
        The checkpoint in canonical form.

    Raises:
        CheckpointError: If the file is missing, truncated, unsafe, of no known
            format, or has no network of that source.
    """
    content = open_path(path, trust=trust)
    flat = families.flatten(content)
    found = families.find_backbones(flat)
    if not found:
        raise CheckpointError(_unknown(path, content, flat))
    name = families.family(flat, found[0])
    if source is None:
        source = 'target' if name in _TARGET_BY_DEFAULT else 'online'
        strict = False
    else:
        strict = True
    chosen = families.choose(found, source == 'target')
    if not chosen:
        other: Source = 'online' if source == 'target' else 'target'
        if strict:
            raise CheckpointError(
                f'{path} ({name}) has no {source} network, only '
                f'{sorted({b.prefix for b in found})}; use source={other!r}'
            )
        source, chosen = other, families.choose(found, other == 'target')
    backbone = chosen[0]
    state, ignored = _extract(flat, backbone)
    name = families.family(flat, backbone)
    if name in ('torchvision', 'timm') and 'config' in content:
        name = 'timm' if 'architecture' in content['config'] else 'huggingface'
    ckpt = Checkpoint(
        format=name,
        arch=describe(state),
        state_dict=state,
        source=source,
        sha256=sha256(path),
        path=str(path),
        ignored=ignored,
        meta=_meta(content),
    )
    _add_facts(ckpt, content)
    return ckpt


def _extract(
    flat: Mapping[str, Tensor], backbone: families.Backbone
) -> tuple[dict[str, Tensor], list[str]]:
    """Canonical weights of one backbone, and the keys of everything else."""
    prefix = backbone.prefix
    inside = {k[len(prefix) :]: v for k, v in flat.items() if k.startswith(prefix)}
    rest = [k for k in flat if not k.startswith(prefix)]
    for pattern in (*_LAST_STAGE, _D2_LAST_STAGE):
        moved = {k: re.sub('^' + pattern, '', k) for k in rest}
        stage = {k: new for k, new in moved.items() if new != k}
        inside.update({new: flat[k] for k, new in stage.items()})
        rest = [k for k in rest if k not in stage]
    state, outside = backbone.layout.decode(inside)
    return state, [prefix + key for key in outside if prefix + key in flat] + rest


def _meta(content: Mapping[str, Any]) -> dict[str, Any]:
    inner = content.get('meta')
    sources = (content, inner if isinstance(inner, Mapping) else {})
    return {
        key: source[key]
        for source in sources
        for key in (*_META, 'mmengine_version', '__author__')
        if isinstance(source.get(key), int | float | str)
    }


def _add_facts(ckpt: Checkpoint, content: Mapping[str, Any]) -> None:
    """Fill in what keys do not show: stride style and attention heads."""
    if ckpt.arch.startswith('vit'):
        _add_heads(ckpt, content)
    elif is_bottleneck(ckpt.state_dict):
        ckpt.style = _style(ckpt.format, content)
        if ckpt.style is None:
            ckpt.notes.append(
                'where bottleneck blocks have their stride (pytorch: 3×3, caffe: 1×1) '
                'cannot be read from this file; make sure that the model agrees'
            )
    if ckpt.format == 'detectron2':
        ckpt.notes.append(
            'detectron2 files do not say whether they expect RGB or BGR images'
        )


def _style(name: str, content: Mapping[str, Any]) -> str | None:
    """Stride style: mm configs say it, detectron2 does not, all others are v1.5."""
    if name in ('detectron2', 'msbreg_mm') or name.startswith('mm'):
        meta = content.get('meta')
        config = str(meta.get('cfg', '')) if isinstance(meta, Mapping) else ''
        match = re.search(r'style=[\'"](caffe|pytorch)[\'"]', config)
        return match[1] if match else None
    config = content.get('config')
    if isinstance(config, Mapping) and config.get('downsample_in_bottleneck'):
        return 'caffe'
    return 'pytorch'


def _add_heads(ckpt: Checkpoint, content: Mapping[str, Any]) -> None:
    config = content.get('config')
    said = config.get('num_attention_heads') if isinstance(config, Mapping) else None
    dims = ckpt.state_dict['patch_embed.projection.weight'].shape[0]
    if isinstance(said, int):
        ckpt.num_heads = said
    elif ckpt.format == 'moco_v3':
        # MoCo v3 defines its own ViT-S with 12 heads (vits.py).
        ckpt.num_heads = 12 if dims in (384, 768) else dims // 64
    elif ckpt.format in ('timm', 'dino', 'dinov2', 'huggingface'):
        ckpt.num_heads = dims // 64
    else:
        ckpt.notes.append('the number of attention heads cannot be read from this file')


def _unknown(path: PathLike, content: Mapping[str, Any], flat: dict[str, Any]) -> str:
    shown = list(flat)[:5] or list(content)[:5]
    return (
        f'{Path(path)}: no ResNet or ViT found among {len(flat)} tensors (first keys: '
        f'{shown}); supported are the checkpoints listed in docs/checkpoints.md'
    )
