"""Recognise which project wrote a checkpoint, from its keys and nothing else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy import ndarray
from torch import Tensor, as_tensor

from msbreg_mm.checkpoints.layouts import LAYOUTS, Layout

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
_WRAPPER = re.compile(r'(^|\.)(module|_orig_mod)\.')
_CONTAINER = re.compile(
    r'^(state_dict|model|model_state|model_state_dict|network|net|state_dict_ema|'
    r'model_ema)\.'
)

# name, patterns of keys (after containers and wrappers) that must all be there;
# the first match wins, so the special stand before the general
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ('msbreg_mm', (r'backbone\.', r'target_backbone\.')),
    ('moco_v1', (r'encoder_q\.', r'encoder_q\.fc\.weight')),
    ('moco_v2', (r'encoder_q\.', r'encoder_q\.fc\.0\.weight')),
    ('moco_v3', (r'base_encoder\.',)),
    ('dinov2', (r'(student|teacher)\.(backbone\.)?', r'.*\.ls1\.gamma')),
    ('dino', (r'(student|teacher)\.',)),
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
}


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


def flatten(content: Mapping[str, Any], prefix: str = '') -> dict[str, Tensor]:
    """Join nested dicts of tensors, leaving optimizers and logs out.

    Args:
        content: What a checkpoint file holds.
        prefix: Put before every key.

    Returns:
        Tensors by dotted key (``state_dict.module.conv1.weight``).
    """
    flat: dict[str, Tensor] = {}
    for key, value in content.items():
        name = f'{prefix}{key}'
        if isinstance(value, Tensor):
            flat[name] = value
        elif isinstance(value, ndarray) and value.dtype.kind in 'fiub':
            flat[name] = as_tensor(value)
        elif isinstance(value, Mapping) and (prefix or key not in _NOT_WEIGHTS):
            flat.update(flatten(value, f'{name}.'))
    return flat


def find_backbones(keys: Iterable[str]) -> list[Backbone]:
    """List every ResNet and ViT in a flat state dict."""
    keys = list(keys)
    found = []
    for layout in LAYOUTS:
        for key in keys:
            match = re.fullmatch(rf'(|.*\.){layout.probe}', key)
            if match:
                found.append(Backbone(layout, match[1]))
    return found


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


def without_container(key: str) -> str:
    """Remove the entry of the file (``state_dict.``) from a flat key."""
    return _CONTAINER.sub('', key)


def strip(key: str) -> str:
    """Remove containers (``state_dict.``) and wrappers (``module.``) from a key."""
    return _WRAPPER.sub(r'\1', without_container(key))


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
    if backbone.layout.name == 'timm_vit':
        # DINOv2 has both; deit3 has scales, MAE has a mask token.
        scaled = any(key.endswith('.ls1.gamma') for key in bare)
        tokens = ('mask_token', 'register_tokens')
        return 'dinov2' if scaled and any(k.endswith(tokens) for k in bare) else 'timm'
    if strip(backbone.prefix) == 'backbone.':
        return 'mmpretrain'
    return _BY_LAYOUT[backbone.layout.name]
