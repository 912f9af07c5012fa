"""Names of a backbone's parameters in every project; the only renaming place.

The canonical names are mmpretrain's (and, for ResNets, torchvision's):
``conv1 bn1 layer1.0.conv1 … layer1.0.downsample.0`` and ``cls_token pos_embed
patch_embed.projection layers.0.ln1 …``. A :class:`Layout` renames the keys of one
project to them and back.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, cat

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
        to_mm: Pairs (pattern, replacement), the first match is applied.
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


def _merge_qkv(state: State) -> State:
    """Join the three projections of Hugging Face's attention into one."""
    merged = {}
    for key, value in state.items():
        match = re.fullmatch(r'(.*attention\.attention\.)query\.(weight|bias)', key)
        if match:
            parts = [f'{match[1]}{name}.{match[2]}' for name in _QKV]
            merged[f'{match[1]}qkv.{match[2]}'] = cat([state[p] for p in parts])
        elif not re.search(r'attention\.attention\.(key|value)\.', key):
            merged[key] = value
    return merged


_QKV = ('query', 'key', 'value')
_STAGES = range(1, 5)
_RESNET = r'(conv1|bn1|stem|layer\d+)\.'

_D2_TO_MM: Rules = (
    (r'stem\.conv1\.norm\.', 'bn1.'),
    (r'stem\.conv1\.', 'conv1.'),
    *(
        rule
        for stage in _STAGES
        for rule in (
            (
                rf'res{stage + 1}\.(\d+)\.shortcut\.norm\.',
                rf'layer{stage}.\1.downsample.1.',
            ),
            (rf'res{stage + 1}\.(\d+)\.shortcut\.', rf'layer{stage}.\1.downsample.0.'),
            (rf'res{stage + 1}\.(\d+)\.conv(\d)\.norm\.', rf'layer{stage}.\1.bn\2.'),
            (rf'res{stage + 1}\.', f'layer{stage}.'),
        )
    ),
)
_MM_TO_D2: Rules = (
    (r'bn1\.', 'stem.conv1.norm.'),
    (r'conv1\.', 'stem.conv1.'),
    *(
        rule
        for stage in _STAGES
        for rule in (
            (
                rf'layer{stage}\.(\d+)\.downsample\.1\.',
                rf'res{stage + 1}.\1.shortcut.norm.',
            ),
            (rf'layer{stage}\.(\d+)\.downsample\.0\.', rf'res{stage + 1}.\1.shortcut.'),
            (rf'layer{stage}\.(\d+)\.bn(\d)\.', rf'res{stage + 1}.\1.conv\2.norm.'),
            (rf'layer{stage}\.', f'res{stage + 1}.'),
        )
    ),
)
_SEQUENTIAL_TO_MM: Rules = (
    (r'0\.', 'conv1.'),
    (r'1\.', 'bn1.'),
    *((rf'{stage + 3}\.', f'layer{stage}.') for stage in _STAGES),
)
_HF_RESNET_TO_MM: Rules = (
    (r'embedder\.embedder\.convolution\.', 'conv1.'),
    (r'embedder\.embedder\.normalization\.', 'bn1.'),
    *(
        (
            rf'encoder\.stages\.{stage - 1}\.layers\.(\d+)\.{old}',
            rf'layer{stage}.\1.{new}',
        )
        for stage in _STAGES
        for old, new in (
            (r'shortcut\.convolution\.', 'downsample.0.'),
            (r'shortcut\.normalization\.', 'downsample.1.'),
            *(
                rule
                for conv in range(3)
                for rule in (
                    (rf'layer\.{conv}\.convolution\.', f'conv{conv + 1}.'),
                    (rf'layer\.{conv}\.normalization\.', f'bn{conv + 1}.'),
                )
            ),
        )
    ),
)

# timm, DINO, MoCo v3 and DINOv2 share these; DINOv2 may cut the blocks into chunks.
_TIMM_BLOCK = (
    (r'norm(\d)\.', r'ln\2.'),
    (r'mlp\.fc1\.', 'ffn.layers.0.0.'),
    (r'mlp\.fc2\.', 'ffn.layers.1.'),
    (r'ls1\.gamma', 'attn.gamma1.weight'),
    (r'ls2\.gamma', 'ffn.gamma2.weight'),
    (r'attn\.', 'attn.'),
)
_TIMM_TO_MM: Rules = (
    (r'patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'norm_pre\.', 'pre_norm.'),
    (r'norm\.', 'ln1.'),
    (r'fc_norm\.', 'ln2.'),
    *(
        (rf'blocks\.(?:\d+\.)?(\d+)\.{old}', rf'layers.\1.{new}')
        for old, new in _TIMM_BLOCK
    ),
)
_MM_TO_TIMM: Rules = (
    (r'patch_embed\.projection\.', 'patch_embed.proj.'),
    (r'pre_norm\.', 'norm_pre.'),
    (r'ln1\.', 'norm.'),
    (r'ln2\.', 'fc_norm.'),
    (r'layers\.(\d+)\.ln(\d)\.', r'blocks.\1.norm\2.'),
    (r'layers\.(\d+)\.ffn\.layers\.0\.0\.', r'blocks.\1.mlp.fc1.'),
    (r'layers\.(\d+)\.ffn\.layers\.1\.', r'blocks.\1.mlp.fc2.'),
    (r'layers\.(\d+)\.attn\.gamma1\.weight', r'blocks.\1.ls1.gamma'),
    (r'layers\.(\d+)\.ffn\.gamma2\.weight', r'blocks.\1.ls2.gamma'),
    (r'layers\.(\d+)\.', r'blocks.\1.'),
)
_HF_LAYER = r'encoder\.layer\.(\d+)\.'
_HF_VIT_TO_MM: Rules = (
    (r'embeddings\.cls_token', 'cls_token'),
    (r'embeddings\.position_embeddings', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.projection.'),
    (r'embeddings\.register_tokens', 'register_tokens'),
    (r'layernorm\.', 'ln1.'),
    (_HF_LAYER + r'attention\.attention\.qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_LAYER + r'attention\.output\.dense\.', r'layers.\1.attn.proj.'),
    # google/vit-* (ViTModel)
    (_HF_LAYER + r'layernorm_before\.', r'layers.\1.ln1.'),
    (_HF_LAYER + r'layernorm_after\.', r'layers.\1.ln2.'),
    (_HF_LAYER + r'intermediate\.dense\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'output\.dense\.', r'layers.\1.ffn.layers.1.'),
    # facebook/dinov2-* (Dinov2Model)
    (_HF_LAYER + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (_HF_LAYER + r'layer_scale1\.lambda1', r'layers.\1.attn.gamma1.weight'),
    (_HF_LAYER + r'layer_scale2\.lambda1', r'layers.\1.ffn.gamma2.weight'),
)

_VIT = r'cls_token$|pos_embed$|reg_token$|register_tokens$|dist_token$|patch_embed\.'

LAYOUTS = (
    Layout('resnet', r'layer1\.0\.conv1\.weight', _RESNET),
    Layout(
        'detectron2',
        r'res2\.0\.conv1\.weight',
        r'(stem|res\d+)\.',
        _D2_TO_MM,
        _MM_TO_D2,
    ),
    Layout('sequential', r'4\.0\.conv1\.weight', r'[014567]\.', _SEQUENTIAL_TO_MM),
    Layout(
        'hf_resnet',
        r'encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.weight',
        r'embedder\.|encoder\.',
        _HF_RESNET_TO_MM,
    ),
    Layout('mm_vit', r'layers\.0\.ln1\.weight', _VIT + r'|(layers|ln1|ln2|pre_norm)\.'),
    Layout(
        'timm_vit',
        r'blocks\.(?:0\.)?0\.norm1\.weight',
        _VIT + r'|(blocks|norm|norm_pre|fc_norm)\.',
        _TIMM_TO_MM,
        _MM_TO_TIMM,
    ),
    Layout(
        'hf_vit',
        r'encoder\.layer\.0\.(?:layernorm_before|norm1)\.weight',
        r'embeddings\.(?!mask_token)|encoder\.|layernorm\.',
        _HF_VIT_TO_MM,
        before=_merge_qkv,
    ),
)
BY_NAME = {layout.name: layout for layout in LAYOUTS}
