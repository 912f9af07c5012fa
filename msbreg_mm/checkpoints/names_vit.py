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

# transformers' files, and what its modules are called since its version 5
_HF_LAYER = r'(?:encoder\.layer|layers)\.(\d+)\.'
HF_TO_MM = (
    (r'embeddings\.cls_token', 'cls_token'),
    (r'embeddings\.distillation_token', 'dist_token'),
    (r'embeddings\.position_embeddings', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.projection.'),
    (r'embeddings\.register_tokens', 'register_tokens'),
    (r'layernorm\.', 'ln1.'),
    (_HF_LAYER + r'attention\.(?:attention\.)?qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_LAYER + r'attention\.(?:attention\.)?([qv])_bias', r'layers.\1.attn.\2_bias'),
    (_HF_LAYER + r'attention\.(?:output\.dense|o_proj)\.', r'layers.\1.attn.proj.'),
    # transformers' ViTModel
    (_HF_LAYER + r'layernorm_before\.', r'layers.\1.ln1.'),
    (_HF_LAYER + r'layernorm_after\.', r'layers.\1.ln2.'),
    (_HF_LAYER + r'intermediate\.dense\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'output\.dense\.', r'layers.\1.ffn.layers.1.'),
    # transformers' Dinov2Model
    (_HF_LAYER + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (_HF_LAYER + r'mlp\.weights_in\.', r'layers.\1.mlp.w12.'),
    (_HF_LAYER + r'mlp\.weights_out\.', r'layers.\1.mlp.w3.'),
    (_HF_LAYER + r'layer_scale1\.lambda1', r'layers.\1.attn.gamma1.weight'),
    (_HF_LAYER + r'layer_scale2\.lambda1', r'layers.\1.ffn.gamma2.weight'),
    # transformers' BeitModel and Data2VecVisionModel, of one table or one a block
    (_HF_LAYER + r'lambda_(\d)', r'layers.\1.gamma_\2'),
    (
        _HF_LAYER + r'attention\.(?:attention\.)?relative_position_bias\.',
        r'layers.\1.attn.',
    ),
    (r'(?:encoder\.)?relative_position_bias\.', 'rel_pos_bias.'),
    (r'pooler\.layernorm\.', 'ln2.'),
)
# transformers' DINOv3ViTModel
_HF_DINOV3_LAYER = r'(?:model\.)?layer\.(\d+)\.'
HF_DINOV3_TO_MM = (
    (r'embeddings\.cls_token', 'cls_token'),
    (r'embeddings\.register_tokens', 'storage_tokens'),
    (r'embeddings\.patch_embeddings\.', 'patch_embed.projection.'),
    (r'norm\.', 'ln1.'),
    (_HF_DINOV3_LAYER + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_DINOV3_LAYER + r'attention\.qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_DINOV3_LAYER + r'attention\.([qv])_bias', r'layers.\1.attn.\2_bias'),
    (_HF_DINOV3_LAYER + r'attention\.o_proj\.', r'layers.\1.attn.proj.'),
    (_HF_DINOV3_LAYER + r'layer_scale1\.lambda1', r'layers.\1.attn.gamma1.weight'),
    (_HF_DINOV3_LAYER + r'layer_scale2\.lambda1', r'layers.\1.ffn.gamma2.weight'),
    (_HF_DINOV3_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_DINOV3_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (_HF_DINOV3_LAYER + r'mlp\.(w\d)\.', r'layers.\1.mlp.\2.'),
)
# transformers' VJEPA2Model: its encoder
_HF_VJEPA2_LAYER = r'layer\.(\d+)\.'
HF_VJEPA2_TO_MM = (
    (r'embeddings\.patch_embeddings\.proj\.', 'patch_embed.projection.'),
    (r'layernorm\.', 'ln1.'),
    (_HF_VJEPA2_LAYER + r'norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_VJEPA2_LAYER + r'attention\.', r'layers.\1.attn.'),
    (_HF_VJEPA2_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_VJEPA2_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
)

# CAPI's encoder
_CAPI_BLOCK = r'encoder\.blocks\.(\d+)\.'
CAPI_TO_MM = (
    (r'registers$', 'reg_token'),
    (r'patch_embed\.', 'patch_embed.projection.'),
    (_CAPI_BLOCK + r'residual([12])\.norm\.', r'layers.\1.ln\2.'),
    (_CAPI_BLOCK + r'residual1\.fn\.qkv\.', r'layers.\1.attn.qkv.'),
    (_CAPI_BLOCK + r'residual1\.fn\.proj\.', r'layers.\1.attn.proj.'),
    (_CAPI_BLOCK + r'residual1\.fn\.rope\.', r'layers.\1.attn.rope.'),
    (_CAPI_BLOCK + r'residual2\.fn\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_CAPI_BLOCK + r'residual2\.fn\.fc2\.', r'layers.\1.ffn.layers.1.'),
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


_QUERY = re.compile(r'(.*?)(query|q_proj)\.(weight|bias)')
_SIBLINGS = {
    'query': ('query', 'key', 'value'),
    'q_proj': ('q_proj', 'k_proj', 'v_proj'),
}


def merge_qkv(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join the three projections of Hugging Face's attention into one.

    Args:
        state: Keys of the form ``….{query,key,value}.weight`` or
            ``….{q,k,v}_proj.weight``, shapes (D, D), or ``bias``, shapes (D,).

    Returns:
        The same with ``….qkv.weight``, (3D, D), query first. Biases of query and
        value alone (BEiT, DINOv3) become ``….q_bias`` and ``….v_bias``.
    """
    merged = dict(state)
    for key in state:
        match = _QUERY.fullmatch(key)
        if not match:
            continue
        stem, kind, part = match.groups()
        names = [f'{stem}{name}.{part}' for name in _SIBLINGS[kind]]
        here = [name in state for name in names]
        if all(here):
            merged[f'{stem}qkv.{part}'] = cat([merged.pop(name) for name in names])
        elif part == 'bias' and here == [True, False, True]:
            merged[f'{stem}q_bias'] = merged.pop(names[0])
            merged[f'{stem}v_bias'] = merged.pop(names[2])
    return merged


def of_hf_dinov3(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join projections, and name the gated or plain MLP as DINOv3 does."""
    merged = merge_qkv(state)
    gated = any('.mlp.gate_proj.' in key for key in merged)
    names = {'gate_proj': 'w1', 'up_proj': 'w2', 'down_proj': 'w3'}
    if not gated:
        names = {'up_proj': 'fc1', 'down_proj': 'fc2'}
    return {
        re.sub(r'(?<=\.mlp\.)(\w+_proj)', lambda m: names[m[1]], key): value
        for key, value in merged.items()
        if not key.endswith('register_tokens') or value.numel()
    }
