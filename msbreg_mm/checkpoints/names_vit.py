"""How other projects name a ViT's parameters, as rules to and from ours."""

import re

from torch import Tensor, cat

# timm, DINO and MoCo v3; DINOv2 may cut its blocks into chunks of global numbers.
_TIMM_BLOCK = r'blocks\.(?:\d+\.)?(\d+)\.'
TIMM_TO_MM = (
    (r'patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'norm_pre\.', 'pre_norm.'),
    (r'norm\.', 'ln1.'),
    (r'fc_norm\.', 'ln2.'),
    (_TIMM_BLOCK + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_TIMM_BLOCK + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_TIMM_BLOCK + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (_TIMM_BLOCK + r'ls1\.gamma', r'layers.\1.attn.gamma1.weight'),
    (_TIMM_BLOCK + r'ls2\.gamma', r'layers.\1.ffn.gamma2.weight'),
    (_TIMM_BLOCK, r'layers.\1.'),
)
MM_TO_TIMM = (
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
HF_TO_MM = (
    (r'embeddings\.cls_token', 'cls_token'),
    (r'embeddings\.position_embeddings', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.projection.'),
    (r'embeddings\.register_tokens', 'register_tokens'),
    (r'layernorm\.', 'ln1.'),
    (_HF_LAYER + r'attention\.attention\.qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_LAYER + r'attention\.output\.dense\.', r'layers.\1.attn.proj.'),
    # transformers' ViTModel
    (_HF_LAYER + r'layernorm_before\.', r'layers.\1.ln1.'),
    (_HF_LAYER + r'layernorm_after\.', r'layers.\1.ln2.'),
    (_HF_LAYER + r'intermediate\.dense\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'output\.dense\.', r'layers.\1.ffn.layers.1.'),
    # transformers' Dinov2Model
    (_HF_LAYER + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (_HF_LAYER + r'layer_scale1\.lambda1', r'layers.\1.attn.gamma1.weight'),
    (_HF_LAYER + r'layer_scale2\.lambda1', r'layers.\1.ffn.gamma2.weight'),
)

_TORCHVISION_LAYER = (
    ('ln_', 'ln'),
    ('self_attention.in_proj_', 'attn.qkv.'),
    ('self_attention.out_proj.', 'attn.proj.'),
    ('mlp.0.', 'ffn.layers.0.0.'),
    ('mlp.3.', 'ffn.layers.1.'),
    # before torchvision 0.13
    ('mlp.linear_1.', 'ffn.layers.0.0.'),
    ('mlp.linear_2.', 'ffn.layers.1.'),
)
_TORCHVISION_REST = (
    ('class_token', 'cls_token'),
    ('encoder.pos_embedding', 'pos_embed'),
    ('conv_proj.', 'patch_embed.projection.'),
    ('encoder.ln.', 'ln1.'),
)
TORCHVISION_TO_MM = (
    *((re.escape(old), new) for old, new in _TORCHVISION_REST),
    *(
        (
            rf'encoder\.layers\.encoder_layer_(\d+)\.{re.escape(old)}',
            rf'layers.\1.{new}',
        )
        for old, new in _TORCHVISION_LAYER
    ),
)
MM_TO_TORCHVISION = (
    *((re.escape(new), old) for old, new in _TORCHVISION_REST),
    *(
        (
            rf'layers\.(\d+)\.{re.escape(new)}',
            rf'encoder.layers.encoder_layer_\1.{old}',
        )
        for old, new in _TORCHVISION_LAYER
    ),
)


def merge_qkv(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join the three projections of Hugging Face's attention into one.

    Args:
        state: Keys of the form ``….attention.attention.{query,key,value}.weight``,
            shapes (D, D), or ``bias``, shapes (D,).

    Returns:
        The same with ``….attention.attention.qkv.weight``, (3D, D), query first.
    """
    merged = {}
    for key, value in state.items():
        match = re.fullmatch(r'(.*attention\.attention\.)query\.(weight|bias)', key)
        if match:
            names = [
                f'{match[1]}{name}.{match[2]}' for name in ('query', 'key', 'value')
            ]
            if all(name in state for name in names):
                merged[f'{match[1]}qkv.{match[2]}'] = cat([state[n] for n in names])
        elif not re.search(r'attention\.attention\.(key|value)\.', key):
            merged[key] = value
    return merged
