"""Names of a backbone's parameters in every project; the only renaming place.

The canonical names are mmpretrain's (and, for ResNets, torchvision's):
``conv1 bn1 layer1.0.conv1 … layer1.0.downsample.0`` and ``cls_token pos_embed
patch_embed.projection layers.0.ln1 …``; timm's for networks that mmpretrain has
not. A :class:`Layout` renames the keys of one project to them and back.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from msbreg_mm.checkpoints import (
    names_clip,
    names_conv,
    names_resnet,
    names_vit,
)

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
        hides: Layouts whose probe has a match in the keys of this one.
    """

    name: str
    probe: str
    backbone: str
    to_mm: Rules = ()
    from_mm: Rules = ()
    before: Callable[[State], State] | None = None
    hides: tuple[str, ...] = ()

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


# The projects' own positions and tokens; mask tokens are for pretraining only.
_TOKENS = (
    r'cls_token$|pos_embed\w*$|reg_token$|register_tokens$|storage_tokens$|dist_token$'
    r'|patch_embed\.|attn_pool\.|rel_pos_bias\.|cls_norm\.'
)
_EMBEDDINGS = r'embeddings\.(?!mask_token)'

LAYOUTS = [
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
        r'(?:encoder\.layer\.0\.(?:layernorm_before|norm1)|'
        r'layers\.0\.layernorm_before)\.weight',
        _EMBEDDINGS + r'|encoder\.|layers\.|layernorm\.|pooler\.layernorm\.',
        names_vit.HF_TO_MM,
        before=names_vit.merge_qkv,
    ),
    Layout(
        'hf_dinov3',
        r'(?:model\.)?layer\.0\.mlp\.up_proj\.weight',
        _EMBEDDINGS + r'|(model\.)?layer\.|norm\.',
        names_vit.HF_DINOV3_TO_MM,
        before=names_vit.of_hf_dinov3,
    ),
    Layout(
        'hf_vjepa2',
        r'embeddings\.patch_embeddings\.proj\.weight',
        _EMBEDDINGS + r'|layer\.|layernorm\.',
        names_vit.HF_VJEPA2_TO_MM,
        before=names_vit.merge_qkv,
        hides=('hf_vit',),
    ),
    Layout(
        'openai_clip',
        r'ln_post\.weight',
        r'class_embedding$|positional_embedding$|conv1\.|ln_pre\.|ln_post\.|'
        r'transformer\.|attn_pool\.',
        names_clip.OPENAI_TO_MM,
        before=names_clip.of_openai,
    ),
    Layout(
        'hf_clip',
        r'embeddings\.class_embedding',
        _EMBEDDINGS + r'|encoder\.|pre_layr?norm\.|post_layernorm\.',
        names_clip.HF_TO_MM,
        before=names_clip.of_huggingface,
        hides=('hf_siglip',),
    ),
    Layout(
        'hf_siglip',
        r'embeddings\.patch_embedding\.weight',
        _EMBEDDINGS + r'|encoder\.|post_layernorm\.|head\.',
        names_clip.HF_TO_MM,
        before=names_clip.of_huggingface,
    ),
    Layout(
        'aimv2',
        r'preprocessor\.patchifier\.proj\.weight',
        r'preprocessor\.|trunk\.',
        names_clip.AIMV2_TO_MM,
    ),
    Layout(
        'hf_aimv2',
        r'embeddings\.rms_norm\.weight',
        _EMBEDDINGS + r'|encoder\.|rms_norm\.',
        names_clip.HF_AIMV2_TO_MM,
        before=names_clip.of_huggingface,
    ),
    Layout(
        'capi',
        r'encoder\.blocks\.0\.residual1\.norm\.weight',
        r'registers$|patch_embed\.|encoder\.',
        names_vit.CAPI_TO_MM,
        before=names_vit.merge_qkv,
    ),
    Layout(
        'radio',
        r'radio_model\.model\.patch_generator\.embedder\.weight',
        r'radio_model\.model\.',
    ),
    Layout(
        'hf_hiera',
        r'encoder\.stages\.0\.layers\.0\.layernorm_before\.weight',
        _EMBEDDINGS + r'|encoder\.|pooler\.layernorm\.',
        names_conv.HF_HIERA_TO_TIMM,
        before=names_conv.of_hf_hiera,
    ),
    Layout(
        'timm_convnext',
        r'stages\.0\.blocks\.0\.conv_dw\.weight',
        r'stem\.|stages\.|norm_pre\.|head\.norm\.',
    ),
    Layout(
        'fb_convnext',
        r'downsample_layers\.0\.0\.weight',
        r'downsample_layers\.|stages\.|norm\.|norms\.',
        names_conv.FB_CONVNEXT_TO_TIMM,
        before=names_conv.of_convnext,
    ),
    Layout(
        'hf_convnext',
        r'encoder\.stages\.0\.layers\.0\.dwconv\.weight',
        r'embeddings\.|encoder\.|layernorm\.',
        names_conv.HF_CONVNEXT_TO_TIMM,
        before=names_conv.of_convnext,
    ),
    Layout(
        'hf_dinov3_convnext',
        r'(?:model\.)?stages\.0\.layers\.0\.depthwise_conv\.weight',
        r'(model\.)?stages\.|layer_norm\.',
        names_conv.HF_DINOV3_CONVNEXT_TO_TIMM,
    ),
    Layout(
        'swin',
        r'layers\.0\.blocks\.0\.norm1\.weight',
        r'patch_embed\.|layers\.|norm\.|absolute_pos_embed$',
        before=names_conv.of_swin,
        hides=('timm_vit',),
    ),
    Layout(
        'hf_swin',
        r'encoder\.layers\.0\.blocks\.0\.layernorm_before\.weight',
        _EMBEDDINGS + r'|encoder\.|layernorm\.',
        names_conv.HF_SWIN_TO_TIMM,
        before=names_conv.of_swin,
    ),
    Layout(
        'torchvision_vit',
        r'encoder\.layers\.encoder_layer_0\.ln_1\.weight',
        r'class_token$|conv_proj\.|encoder\.',
        names_vit.TORCHVISION_TO_MM,
        names_vit.MM_TO_TORCHVISION,
    ),
]
BY_NAME = {layout.name: layout for layout in LAYOUTS}


def register_layout(layout: Layout) -> None:
    """Let checkpoints of another project be read (docs/extending.md).

    Args:
        layout: How it names the parameters.

    Raises:
        ValueError: If there is a layout of this name.
    """
    if layout.name in BY_NAME:
        raise ValueError(f'there is a layout {layout.name!r} already')
    LAYOUTS.append(layout)
    BY_NAME[layout.name] = layout
