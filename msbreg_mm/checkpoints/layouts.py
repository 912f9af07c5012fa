"""Names of a backbone's parameters in every project; the only renaming place.

The canonical names are mmpretrain's (and, for ResNets, torchvision's):
``conv1 bn1 layer1.0.conv1 … layer1.0.downsample.0`` and ``cls_token pos_embed
patch_embed.projection layers.0.ln1 …``. A :class:`Layout` renames the keys of one
project to them and back.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from msbreg_mm.checkpoints import names_resnet, names_vit

State = dict[str, Tensor]
Rules = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Layout:
    """One way of naming the parameters of a backbone.

    Args:
        name: Short name.
        probe: Regular expression of a key which only this layout has, relative to
            the backbone's prefix.
        backbone: Regular expression of all keys of the backbone; the rest belongs
            to a head.
        to_mm: Pairs (pattern, replacement) of which the first match is applied.
        from_mm: The same in the other direction.
        before: Applied to the whole state dict before ``to_mm``.
    """

    name: str
    probe: str
    backbone: str
    to_mm: Rules = ()
    from_mm: Rules = ()
    before: Callable[[State], State] | None = None

    def decode(self, state: Mapping[str, Tensor]) -> tuple[State, list[str]]:
        """Rename to the canonical layout.

        Args:
            state: Keys relative to the backbone's prefix.

        Returns:
            The backbone's canonical state dict, and the keys of heads.
        """
        inside = {k: v for k, v in state.items() if re.match(self.backbone, k)}
        outside = [key for key in state if key not in inside]
        if self.before is not None:
            inside = self.before(inside)
        return {_rename(key, self.to_mm): v for key, v in inside.items()}, outside

    def encode(self, state: Mapping[str, Tensor]) -> State:
        """Rename from the canonical layout."""
        return {_rename(key, self.from_mm): value for key, value in state.items()}


def _rename(key: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        new, count = re.subn(f'^{pattern}', replacement, key)
        if count:
            return new
    return key


_TOKENS = r'cls_token$|pos_embed$|reg_token$|register_tokens$|dist_token$|patch_embed\.'

LAYOUTS = (
    Layout('resnet', r'layer1\.0\.conv1\.weight', r'(conv1|bn1|stem|layer\d+)\.'),
    Layout(
        'detectron2',
        r'res2\.0\.conv1\.weight',
        r'(stem|res\d+)\.',
        names_resnet.DETECTRON2_TO_MM,
        names_resnet.MM_TO_DETECTRON2,
    ),
    Layout(
        'sequential',
        r'4\.0\.conv1\.weight',
        r'[014567]\.',
        names_resnet.SEQUENTIAL_TO_MM,
    ),
    Layout(
        'hf_resnet',
        r'encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.weight',
        r'embedder\.|encoder\.',
        names_resnet.HF_TO_MM,
    ),
    Layout(
        'mm_vit', r'layers\.0\.ln1\.weight', _TOKENS + r'|(layers|ln1|ln2|pre_norm)\.'
    ),
    Layout(
        'timm_vit',
        r'blocks\.(?:0\.)?0\.norm1\.weight',
        _TOKENS + r'|(blocks|norm|norm_pre|fc_norm)\.',
        names_vit.TIMM_TO_MM,
        names_vit.MM_TO_TIMM,
    ),
    Layout(
        'hf_vit',
        r'encoder\.layer\.0\.(?:layernorm_before|norm1)\.weight',
        r'embeddings\.(?!mask_token)|encoder\.|layernorm\.',
        names_vit.HF_TO_MM,
        before=names_vit.merge_qkv,
    ),
    Layout(
        'torchvision_vit',
        r'encoder\.layers\.encoder_layer_0\.ln_1\.weight',
        r'class_token$|conv_proj\.|encoder\.',
        names_vit.TORCHVISION_TO_MM,
        names_vit.MM_TO_TORCHVISION,
    ),
)
BY_NAME = {layout.name: layout for layout in LAYOUTS}
