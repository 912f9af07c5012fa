"""Read any supported checkpoint into one canonical form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from msbreg_mm.checkpoints import families
from msbreg_mm.checkpoints.architectures import count, describe, is_bottleneck
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.facts import read_facts
from msbreg_mm.checkpoints.families import Backbone
from msbreg_mm.checkpoints.files import PathLike, read_path, sha256, weight_files
from msbreg_mm.checkpoints.known import known_size
from msbreg_mm.checkpoints.values import PlainTensors

Source = Literal['online', 'target']

# Of these the authors evaluate the teacher; of all others the trained network.
_TARGET_BY_DEFAULT = ('dino', 'dinov2', 'dinov3', 'ijepa', 'vjepa2')
# C4 detectors keep the last ResNet stage in the box head (mmdet, detectron2).
_LAST_STAGE = re.compile(
    r'^(?:.*\.)?(?:roi_head\.shared_head\.(?=layer4\.)|roi_heads\.(?=res5\.))'
)
# Families of heads (:mod:`msbreg_mm.checkpoints.known`) where not the format's.
_HEADS = {
    'hf_clip': 'clip',
    'openai_clip': 'clip',
    'hf_siglip': 'siglip',
    'hf_aimv2': 'aimv2',
    'hf_dinov3': 'dinov3',
    'hf_vjepa2': 'vjepa2',
}
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
        said_heads: The same, only where the file itself says it.
        layout: How the file names the network's parameters.
        facts: What the file says of its architecture beside the weights.
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
    said_heads: int | None = None
    layout: str = ''
    facts: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# The one checkpoint that was read to be sure, before the model is built.
_kept: dict[tuple[Any, ...], Checkpoint] = {}


def read_checkpoint(
    path: PathLike,
    *,
    trust: bool = False,
    source: Source | None = None,
    keep: bool = False,
) -> Checkpoint:
    """Read the backbone of any supported checkpoint, recognised by content.

    Args:
        path: A file, or a Hugging Face folder.
        trust: Allow a pickle to run the code that it brings along.
        source: Which of two networks: ``'online'`` or ``'target'`` (momentum,
            teacher). By default the one that the method's authors evaluate: the
            teacher for DINO and DINOv2, the online network else, ours included
            (this project's choice).
        keep: Give the result to the next call for the same file, too, which then
            reads and hashes nothing.

    Returns:
        The checkpoint in canonical form.

    Raises:
        CheckpointError: If the file is missing, truncated, damaged (a CRC-32 does
            not agree), unsafe, of no known format, has tensors that are no weights,
            or has no whole network of that source.
    """
    key = _key(path, trust, source)
    if (kept := _kept.pop(key, None)) is not None:
        return kept
    ckpt = _read(path, trust, source)
    if keep:
        _kept.clear()
        _kept[key] = ckpt
    return ckpt


def _key(path: PathLike, trust: bool, source: Source | None) -> tuple[Any, ...]:
    stats = [(file, file.stat()) for file in weight_files(path)]
    files = tuple((str(f), s.st_ino, s.st_size, s.st_mtime_ns) for f, s in stats)
    return (*files, trust, source)


def _read(path: PathLike, trust: bool, source: Source | None) -> Checkpoint:
    content, notes = read_path(path, trust=trust)
    try:
        flat = families.flatten(content)
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}') from None
    found = families.find_backbones(flat)
    if not found:
        raise CheckpointError(
            f'{path}: no ResNet or ViT found among {len(flat)} tensors (first keys: '
            f'{(list(flat) or list(content))[:5]}); supported are the checkpoints '
            'listed in docs/checkpoints.md'
        )
    candidates, said = _choose(path, flat, found, source)
    backbone = candidates[0]
    plain = PlainTensors(path)
    state, ignored = _extract(flat, backbone, plain)
    name = families.family(flat, backbone)
    config = content.get('config')
    if name == 'torchvision' and isinstance(config, Mapping):
        # timm's ResNets have torchvision's keys; its folders say who they are.
        name = 'timm' if 'architecture' in config else name
    ckpt = Checkpoint(
        format=name,
        arch=_describe(path, state),
        state_dict=state,
        source='target' if backbone.is_target else 'online',
        sha256=sha256(path),
        path=str(path),
        ignored=ignored,
        layout=backbone.layout.name,
        facts=read_facts(content),
        meta=_meta(content),
        notes=[*notes, *said, *plain.notes],
    )
    if len(candidates) > 1:
        names = ', '.join(repr(other.prefix) for other in candidates)
        ckpt.notes.append(f'of several networks ({names}) the first was taken')
    _add_settings(ckpt, content)
    return ckpt


def _describe(path: PathLike, state: Mapping[str, Tensor]) -> str:
    try:
        return describe(state)
    except (IndexError, ZeroDivisionError):
        shapes = {key: tuple(value.shape) for key, value in list(state.items())[:5]}
        raise CheckpointError(
            f'{path}: its tensors have shapes that no ResNet or ViT has: {shapes}, …'
        ) from None


def _choose(
    path: PathLike,
    flat: Mapping[str, Any],
    found: list[Backbone],
    source: Source | None,
) -> tuple[list[Backbone], list[str]]:
    """Networks of the role asked for, else of that which the authors evaluate.

    The other role is taken, with a note, only where the file has not even a part of
    the preferred one.
    """
    by_role = {
        'online': families.choose(found, target=False),
        'target': families.choose(found, target=True),
    }
    prefer = families.family(flat, found[0]) in _TARGET_BY_DEFAULT
    first = source or ('target' if prefer else 'online')
    second = 'online' if first == 'target' else 'target'
    if by_role[first]:
        _check_one_kind(path, by_role[first])
        averaged = [b.prefix for b in by_role[second] if 'ema' in b.prefix]
        if not averaged or source is not None:
            return by_role[first], []
        return by_role[first], [
            f'the file also has an average of the weights ({averaged[0]}), which was '
            f'not taken; source={second!r} (--source {second}) takes it'
        ]
    broken = families.choose(
        families.find_incomplete(flat, found), target=first == 'target'
    )
    if broken:
        raise _incomplete(path, flat, broken[0], by_role[second][0], first)
    if source is not None:
        raise CheckpointError(
            f'{path} has no {source} network, only the {second} one; ask for that or '
            'leave source (--source) out'
        )
    return by_role[second], [
        f'the file has no {first} network, so the {second} network was taken'
    ]


def _check_one_kind(path: PathLike, candidates: list[Backbone]) -> None:
    """Refuse a file of two networks of which no name says which is meant."""
    first = candidates[0]
    others = [
        other
        for other in candidates[1:]
        if other.layout is not first.layout
        and not other.prefix.startswith(first.prefix)
    ]
    if others and not families.is_preferred(first):
        raise CheckpointError(
            f'{path} holds networks of different kinds: {first.prefix!r} '
            f'({first.layout.name}) and {others[0].prefix!r} '
            f'({others[0].layout.name}); save the one that you mean alone'
        )


def _incomplete(
    path: PathLike,
    flat: Mapping[str, Any],
    broken: Backbone,
    whole: Backbone,
    role: str,
) -> CheckpointError:
    """Name what one of two networks lacks."""
    wanted = [
        key[len(whole.prefix) :]
        for key in flat
        if key.startswith(whole.prefix)
        and re.match(whole.layout.backbone, key[len(whole.prefix) :])
    ]
    missing = [key for key in wanted if broken.prefix + key not in flat]
    other = 'online' if role == 'target' else 'target'
    return CheckpointError(
        f'{path}: the {role} network ({broken.prefix}…) lacks {len(missing)} of '
        f'{len(wanted)} tensors: {", ".join(missing[:5])}'
        f'{", …" if len(missing) > 5 else ""}. Fetch the file again, or ask for the '
        f"{other} network (source='{other}', --source {other})"
    )


def _extract(
    flat: Mapping[str, Any], backbone: Backbone, plain: PlainTensors
) -> tuple[dict[str, Tensor], list[str]]:
    """Canonical weights of one backbone, and the keys of everything else.

    What the layout does not know and no head is called stays with the backbone, where
    it has no place in any model: an error, as it may change what the backbone does.
    """
    prefix = backbone.prefix
    inside: dict[str, Any] = {}
    rest = []
    for key, value in flat.items():
        if key.startswith(prefix) and not _LAST_STAGE.match(key):
            inside[key[len(prefix) :]] = value
        elif _LAST_STAGE.match(key) and not backbone.is_target:
            inside[_LAST_STAGE.sub('', key)] = value
        else:
            rest.append(key)
    own = {k: v for k, v in inside.items() if re.match(backbone.layout.backbone, k)}
    outside = [key for key in inside if key not in own]
    unknown = [
        key for key in outside if '.' in key and not families.is_no_backbone(key)
    ]
    state, lost = backbone.layout.decode(plain.convert(own))
    state |= plain.convert({key: inside[key] for key in unknown})
    ignored = [prefix + key for key in outside if key not in unknown] + rest
    ignored += [prefix + key for key in lost]
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
        ckpt.num_heads = _num_heads(ckpt, content)
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
        # Anything may stand there, but only texts say something.
        style, cfg = (meta.get(key) for key in ('style', 'cfg'))
        text = f"style='{style}'\n" if isinstance(style, str) else ''
        text += cfg if isinstance(cfg, str) else ''
        said = set(re.findall(r'style=[\'"](caffe|pytorch)[\'"]', text))
        if not said and 'ResNet' in text:
            return 'pytorch'  # the default of mmpretrain's and mmdet's ResNet
        return said.pop() if len(said) == 1 else None
    return 'caffe' if config.get('downsample_in_bottleneck') else 'pytorch'


def _num_heads(ckpt: Checkpoint, content: Mapping[str, Any]) -> int | None:
    """Heads that the file says, else those of a published network."""
    meta = content.get('meta')
    told = ckpt.facts.get('timm', ckpt.facts.get('model_args'))
    says = [
        meta.get('num_heads') if isinstance(meta, Mapping) else None,
        ckpt.facts.get('num_attention_heads'),
        told.get('num_heads') if isinstance(told, Mapping) else None,
    ]
    ckpt.said_heads = next((n for n in says if type(n) is int and n > 0), None)
    if ckpt.said_heads is not None:
        return ckpt.said_heads
    width = ckpt.state_dict['patch_embed.projection.weight'].shape[0]
    # A bare timm ViT-S may be MoCo v3's (its convert_to_deit.py writes such files).
    if ckpt.format == 'timm' and width == 384 and 'architecture' not in ckpt.facts:
        return None
    family = _HEADS.get(ckpt.layout, ckpt.format)
    size = known_size(family, width, count(ckpt.state_dict, r'layers\.(\d+)\.'))
    return size.heads if size else None
