"""Read any supported checkpoint into one canonical form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from msbreg_mm.checkpoints import families
from msbreg_mm.checkpoints.architectures import describe, is_bottleneck
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.families import Backbone
from msbreg_mm.checkpoints.files import PathLike, open_path, sha256

Source = Literal['online', 'target']

# Of these the authors evaluate the teacher; of all others the trained network.
_TARGET_BY_DEFAULT = ('dino', 'dinov2')
# C4 detectors keep the last ResNet stage in the box head (mmdet, detectron2).
_LAST_STAGE = re.compile(
    r'^(?:.*\.)?(?:roi_head\.shared_head\.(?=layer4\.)|roi_heads\.(?=res5\.))'
)
_META = ('epoch', 'iter', 'step', 'arch', 'experiment_name', 'mmengine_version')


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
            teacher for DINO and DINOv2, the online network else, ours included
            (this project's choice).

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
        raise CheckpointError(
            f'{path}: no ResNet or ViT found among {len(flat)} tensors (first keys: '
            f'{(list(flat) or list(content))[:5]}); supported are the checkpoints '
            'listed in docs/checkpoints.md'
        )
    candidates = _choose(path, flat, found, source)
    backbone = candidates[0]
    state, ignored = _extract(flat, backbone)
    name = families.family(flat, backbone)
    config = content.get('config')
    if name == 'torchvision' and isinstance(config, Mapping):
        # timm's ResNets have torchvision's keys; its folders say who they are.
        name = 'timm' if 'architecture' in config else name
    ckpt = Checkpoint(
        format=name,
        arch=describe(state),
        state_dict=state,
        source='target' if backbone.is_target else 'online',
        sha256=sha256(path),
        path=str(path),
        ignored=ignored,
        meta=_meta(content),
    )
    if len(candidates) > 1:
        names = ', '.join(repr(other.prefix) for other in candidates)
        ckpt.notes.append(f'of several networks ({names}) the first was taken')
    _add_settings(ckpt, content)
    return ckpt


def _choose(
    path: PathLike,
    flat: Mapping[str, Tensor],
    found: list[Backbone],
    source: Source | None,
) -> list[Backbone]:
    """Networks of the role asked for, else of that which the authors evaluate."""
    by_role = {
        'online': families.choose(found, target=False),
        'target': families.choose(found, target=True),
    }
    if source is not None:
        if not by_role[source]:
            other = 'online' if source == 'target' else 'target'
            raise CheckpointError(
                f'{path} has no {source} network, only the {other} one; ask for that '
                'or leave source (--source) out'
            )
        return by_role[source]
    prefer = families.family(flat, found[0]) in _TARGET_BY_DEFAULT
    first, second = ('target', 'online') if prefer else ('online', 'target')
    return by_role[first] or by_role[second]


def _extract(
    flat: Mapping[str, Tensor], backbone: Backbone
) -> tuple[dict[str, Tensor], list[str]]:
    """Canonical weights of one backbone, and the keys of everything else."""
    prefix = backbone.prefix
    inside, rest = {}, []
    for key, value in flat.items():
        if key.startswith(prefix) and not _LAST_STAGE.match(key):
            inside[key[len(prefix) :]] = value
        elif _LAST_STAGE.match(key) and not backbone.is_target:
            inside[_LAST_STAGE.sub('', key)] = value
        else:
            rest.append(key)
    state, outside = backbone.layout.decode(inside)
    ignored = [prefix + key for key in outside] + rest
    return state, [families.without_container(key) for key in ignored]


def _meta(content: Mapping[str, Any]) -> dict[str, Any]:
    inner = content.get('meta')
    sources = [content, inner if isinstance(inner, Mapping) else {}]
    return {
        key: source[key]
        for source in sources
        for key in _META
        if isinstance(source.get(key), int | float | str)
    }


def _add_settings(ckpt: Checkpoint, content: Mapping[str, Any]) -> None:
    """Add what keys do not show: stride style, attention heads, colour order."""
    config = content.get('config')
    config = config if isinstance(config, Mapping) else {}
    if ckpt.arch.startswith('vit'):
        ckpt.num_heads = _num_heads(ckpt, content, config)
        if ckpt.num_heads is None:
            ckpt.notes.append(
                'the number of attention heads cannot be read from this file; make '
                'sure that the model agrees'
            )
    elif is_bottleneck(ckpt.state_dict):
        ckpt.style = _style(ckpt.format, content, config)
        if ckpt.style is None:
            ckpt.notes.append(
                'where bottleneck blocks have their stride (pytorch: 3×3, caffe: 1×1) '
                'cannot be read from this file; make sure that the model agrees'
            )
    if ckpt.format == 'detectron2':
        ckpt.notes.append(
            'detectron2 files do not say whether they expect RGB or BGR images'
        )


def _style(
    name: str, content: Mapping[str, Any], config: Mapping[str, Any]
) -> str | None:
    """Stride style: mm configs say it, detectron2 does not, all others are v1.5."""
    if name == 'detectron2':
        return None
    if name.startswith(('mm', 'msbreg')):
        meta = content.get('meta')
        meta = meta if isinstance(meta, Mapping) else {}
        text = f"style='{meta.get('style')}'\n{meta.get('cfg')}"
        said = set(re.findall(r'style=[\'"](caffe|pytorch)[\'"]', text))
        if not said and 'ResNet' in text:
            return 'pytorch'  # the default of mmpretrain's and mmdet's ResNet
        return said.pop() if len(said) == 1 else None
    return 'caffe' if config.get('downsample_in_bottleneck') else 'pytorch'


def _num_heads(
    ckpt: Checkpoint, content: Mapping[str, Any], config: Mapping[str, Any]
) -> int | None:
    """Heads of 64 channels, but MoCo v3's own ViT-S has 12 of 32 (its vits.py)."""
    dims = ckpt.state_dict['patch_embed.projection.weight'].shape[0]
    meta = content.get('meta')
    said = meta.get('num_heads') if isinstance(meta, Mapping) else None
    said = config.get('num_attention_heads', said)
    if isinstance(said, int):
        return said
    if ckpt.format == 'moco_v3':
        return 12 if dims == 384 else dims // 64
    if ckpt.format in ('dino', 'dinov2', 'torchvision') or 'architecture' in config:
        return dims // 64
    # A bare timm ViT-S may be MoCo v3's (its convert_to_deit.py writes such files).
    return dims // 64 if ckpt.format == 'timm' and dims != 384 else None
