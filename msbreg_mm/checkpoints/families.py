"""Recognise which project wrote a checkpoint, from its keys and nothing else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy import ndarray
from torch import Tensor

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.layouts import LAYOUTS, Layout

Value = Tensor | ndarray

# Far more than any training state has.
_MOST_ENTRIES, _DEEPEST = 1_000_000, 64
# Entries of training checkpoints that hold tensors which are no weights.
_NOT_WEIGHTS = (
    'optimizer',
    'optim',
    'message_hub',
    'param_schedulers',
    'lr_schedulers',
    'scheduler',
    'loss_scaler',
    'scaler',
    'ema_state_dict',
    'callbacks',
    'loops',
    'config',
)
_TARGET = re.compile(
    r'(^|[._])(target\w*|momentum\w*|\w+_momentum|encoder_k|teacher\w*|\w*ema)\.'
)
_ONLINE_FIRST = ('backbone.', 'encoder_q.', 'student.')
# A layer or block of a backbone, which no head shares by chance.
_NUMBERED = re.compile(r'\d+\.\d+\.|(layers|blocks|layer|encoder_layer)[._]?\d+\.')
_WRAPPER = re.compile(
    r'(?:(?<=\.)|^)(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|'
    r'_forward_module)\.'
)
# Inside a network; `module.` before it belongs to the names of its project.
_INNER_WRAPPER = re.compile(_WRAPPER.pattern.replace('module|_orig', '_orig', 1))
_CONTAINER = re.compile(
    r'^(state_dict|model|model_state|model_state_dict|network|net|state_dict_ema|'
    r'model_ema)\.'
)

# Beside or on top of a backbone: heads, necks, decoders, queues, second networks.
_NO_BACKBONE = re.compile(
    r'(embeddings\.)?((\w*_)?(fc|heads?|cls|classifier\w*|linear|logits|proj|projs?|projection|'
    r'projector\w*|projection_\w+|predictor\w*|pred|prediction\w*|prototypes?|'
    r'decoder\w*|decode_\w+|neck\w*|pooler|queue\w*|criterion|loss\w*|center|fpn\w*|'
    r'probe\w*|data_preprocessor|mask_token|masked_embed\w*)\d*'
    r'|fc\d+|head_\w+|roi_\w+|rpn_\w+|proposal_generator|last_linear|online_\w+|'
    r'mlp_head|masking|logit_scale|pixel_mean|pixel_std)([._]|$)'
)

# name, patterns of keys (after containers and wrappers) that must all be there;
# the first match wins, so the special stand before the general
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ('msbreg_mm', (r'backbone\.', r'target_backbone\.')),
    ('moco_v1', (r'encoder_q\.', r'encoder_q\.fc\.weight')),
    ('moco_v2', (r'encoder_q\.', r'encoder_q\.fc\.0\.weight')),
    ('moco_v3', (r'base_encoder\.',)),
    ('dinov3', (r'(student|teacher|model_ema)\.(backbone\.)?', r'.*storage_tokens$')),
    ('dinov2', (r'(student|teacher)\.(backbone\.)?', r'.*\.ls1\.gamma')),
    ('dino', (r'(student|teacher)\.',)),
    (
        'vjepa2',
        (
            r'(target_)?encoder\.',
            r'predictor\.(backbone\.)?predictor_blocks\.',
            r'.*rotary|predictor\.backbone\.',
        ),
    ),
    ('ijepa', (r'(target_)?encoder\.', r'predictor\.predictor_')),
    ('simmim', (r'encoder\.layers\.0\.', r'(encoder\.mask_token|decoder\.)')),
    ('moby', (r'encoder\.layers\.0\.', r'(encoder_k|projector)\.')),
    ('mae', (r'decoder_blocks\.\d+\.', r'blocks\.0\.norm1\.', r'decoder_embed\.')),
    ('open_clip', (r'visual\.trunk\.',)),
    ('clip', (r'visual\.', r'logit_scale$')),
    ('byol', (r'(online_encoder|online_network\w*|online_backbone|online_net)\.',)),
    ('byol', (r'backbone\.', r'(target_network|target_encoder)\.')),
    ('simsiam', (r'encoder\.(conv1|layer1)\.', r'predictor\.')),
    ('lightly', (r'backbone_momentum\.',)),
    ('mmdet', (r'backbone\.', r'(roi_head|rpn_head|bbox_head|mask_head)\.')),
    ('mmseg', (r'backbone\.', r'decode_head\.')),
    ('mmpretrain', (r'backbone\.', r'(target_net|encoder_k|momentum_encoder)\.')),
    ('mmpretrain', (r'backbone\.', r'(neck|head)\.')),
    ('solo_learn', (r'backbone\.', r'(momentum_backbone|classifier)\.')),
    ('barlow_twins', (r'backbone\.', r'projector\.', r'bn\.running_mean')),
    ('vicreg', (r'backbone\.', r'projector\.')),
    ('lightly', (r'backbone\.\d+\.', r'projection_head\.')),
    ('detectron2', (r'backbone\.bottom_up\.|backbone\.stem\.|stem\.conv1\.',)),
    ('swav', (r'(projection_head|prototypes)\.',)),
)
_BY_LAYOUT = {
    'resnet': 'torchvision',
    'mm_vit': 'mmpretrain',
    'detectron2': 'detectron2',
    'hf_resnet': 'huggingface',
    'hf_vit': 'huggingface',
    'torchvision_vit': 'torchvision',
    'sequential': 'lightly',
    'openai_clip': 'clip',
    'aimv2': 'aimv2',
    'capi': 'capi',
    'radio': 'radio',
    'timm_convnext': 'timm',
    'fb_convnext': 'convnext',
    'swin': 'swin',
}

_OWN_NAMES = ('capi', 'radio', 'aimv2')


@dataclass(frozen=True)
class Backbone:
    """Where a backbone stands in a checkpoint.

    Args:
        layout: How its keys are named.
        prefix: What stands before them.
    """

    layout: Layout
    prefix: str

    @property
    def is_target(self) -> bool:
        """Whether this is a momentum (EMA, teacher, target) network."""
        return _TARGET.search(self.prefix) is not None

    def hides(self, other: 'Backbone') -> bool:
        """Whether the other one is but a part of this network's keys."""
        inside = self.prefix.startswith(other.prefix) or other.prefix.startswith(
            self.prefix
        )
        return other.layout.name in self.layout.hides and inside


def flatten(content: Mapping[str, Any]) -> dict[str, Value]:
    """Join nested dicts of tensors, leaving optimizers and logs out.

    Args:
        content: What a checkpoint file holds; a dict inside itself is left out.

    Returns:
        Tensors and arrays by dotted key (``state_dict.module.conv1.weight``).

    Raises:
        CheckpointError: If dicts are nested deeper, or are more, than any file of
            weights needs.
    """
    flat: dict[str, Value] = {}
    _flatten(content, '', flat, [], _Budget())
    return flat


class _Budget:
    """Counts the entries of nested dicts: a few can refer to each other without end."""

    def __init__(self) -> None:
        self.left = _MOST_ENTRIES

    def spend(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            what = f'deeper than {_DEEPEST}' if depth > _DEEPEST else 'without end'
            raise CheckpointError(
                f'its dicts are nested {what}; no checkpoint is like that, save the '
                "model's state_dict() alone"
            )


def _flatten(
    content: Mapping[Any, Any],
    prefix: str,
    flat: dict[str, Value],
    around: list[int],
    budget: _Budget,
) -> None:
    around = [*around, id(content)]
    keys = {key: _INNER_WRAPPER.sub('', str(key)) for key in content}
    if len(set(keys.values())) < len(keys):  # two networks: their names stay apart
        keys = {key: str(key) for key in content}
    for key, value in content.items():
        budget.spend(len(around))
        name = f'{prefix}{keys[key]}'
        if isinstance(value, Tensor) or (
            isinstance(value, ndarray) and value.dtype.kind in 'fiubc'
        ):
            flat[name] = value
        elif (
            isinstance(value, Mapping)
            and (prefix or key not in _NOT_WEIGHTS)
            and id(value) not in around
        ):
            _flatten(value, f'{name}.', flat, around, budget)


def find_backbones(keys: Iterable[str]) -> list[Backbone]:
    """List every network of a known layout in a flat state dict."""
    keys = list(keys)
    found = []
    for layout in LAYOUTS:
        for key in keys:
            match = re.fullmatch(rf'(|.*\.){layout.probe}', key)
            if match:
                found.append(Backbone(layout, match[1]))
    return [b for b in found if not any(other.hides(b) for other in found)]


def find_incomplete(keys: Iterable[str], found: list[Backbone]) -> list[Backbone]:
    """List the networks that lack the key by which a layout is recognised.

    Args:
        keys: Of the flat state dict.
        found: From :func:`find_backbones`; an incomplete network has some of the
            keys of one of them under another prefix.

    Returns:
        The incomplete ones.
    """
    keys = list(keys)
    incomplete = []
    for layout in {
        backbone.layout.name: backbone.layout for backbone in found
    }.values():
        known = [b.prefix for b in found if b.layout is layout]
        inner = {
            key[len(prefix) :]
            for prefix in known
            for key in keys
            if key.startswith(prefix) and _NUMBERED.search(key[len(prefix) :])
        }
        inner = {key for key in inner if re.match(layout.backbone, key)}
        prefixes = {
            key[: len(key) - len(part)]
            for key in keys
            for part in _endings(key)
            if part in inner
        }
        incomplete += [Backbone(layout, p) for p in sorted(prefixes) if p not in known]
    return incomplete


def _endings(key: str) -> list[str]:
    """``a.b.c`` → ``a.b.c``, ``b.c``, ``c``."""
    parts = key.split('.')
    return ['.'.join(parts[i:]) for i in range(len(parts))]


def choose(backbones: list[Backbone], target: bool) -> list[Backbone]:
    """Keep the backbones of one role, the preferred first.

    Args:
        backbones: From :func:`find_backbones`.
        target: Momentum network, else the trained (online) one.

    Returns:
        Candidates; projects that keep one network under two names (mmselfsup's
        ``backbone`` and ``encoder_q.0``) come with the backbone first.
    """
    kept = [b for b in backbones if b.is_target == target]

    def rank(backbone: Backbone) -> tuple[int, int]:
        bare = strip(backbone.prefix)
        order = _ONLINE_FIRST.index(bare) if bare in _ONLINE_FIRST else 9
        return order, len(bare)

    return sorted(kept, key=rank)


def is_preferred(backbone: Backbone) -> bool:
    """Whether its name alone says that it is the file's backbone."""
    return strip(backbone.prefix) in _ONLINE_FIRST


def is_no_backbone(key: str) -> bool:
    """Whether a key, relative to a backbone's prefix, is of a head or another network.

    Args:
        key: That the backbone's layout does not know.

    Returns:
        False for what only the backbone itself could mean.
    """
    bare = strip(key)
    return bool(_NO_BACKBONE.match(bare) or _TARGET.search(bare))


def without_container(key: str) -> str:
    """Remove the entry of the file (``state_dict.``) from a flat key."""
    return _CONTAINER.sub('', key)


def strip(key: str) -> str:
    """Remove containers (``state_dict.``) and wrappers (``module.``) from a key."""
    return _WRAPPER.sub('', without_container(key))


def family(keys: Iterable[str], backbone: Backbone) -> str:
    """Name the project that wrote the checkpoint.

    Args:
        keys: Of the flat state dict.
        backbone: The chosen one.

    Returns:
        The format's name; plain ResNets are ``'torchvision'`` (timm's, Barlow
        Twins' and VICReg's released backbones have the same keys).
    """
    bare = [strip(key) for key in keys]
    for name, patterns in _FAMILIES:
        if all(any(re.match(p, key) for key in bare) for p in patterns):
            return name
    if backbone.layout.name == 'swin' and not any(
        key.endswith('relative_position_index') for key in bare
    ):
        return 'timm'  # whose index is computed; its authors keep it
    if backbone.layout.name == 'timm_vit':
        if any(key.endswith('storage_tokens') for key in bare):
            return 'dinov3'
        # DINOv2 has both; deit3 has scales, MAE has a mask token.
        scaled = any(key.endswith('.ls1.gamma') for key in bare)
        tokens = ('mask_token', 'register_tokens')
        return 'dinov2' if scaled and any(k.endswith(tokens) for k in bare) else 'timm'
    if strip(backbone.prefix) == 'backbone.' and backbone.layout.name not in _OWN_NAMES:
        return 'mmpretrain'
    return _BY_LAYOUT.get(backbone.layout.name, 'huggingface')
