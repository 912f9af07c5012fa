"""How CLIP, SigLIP and AIMv2 name their image encoders."""

import re

from torch import Tensor

from msbreg_mm.checkpoints.names_vit import merge_qkv

State = dict[str, Tensor]

_BLOCK = r'transformer\.resblocks\.(\d+)\.'
OPENAI_TO_MM = (
    (r'conv1\.', 'patch_embed.projection.'),
    (r'class_embedding', 'cls_token'),
    (r'positional_embedding', 'pos_embed'),
    (r'ln_pre\.', 'pre_norm.'),
    (r'ln_post\.', 'ln1.'),
    (_BLOCK + r'ln_(\d)\.', r'layers.\1.ln\2.'),
    (_BLOCK + r'attn\.in_proj_', r'layers.\1.attn.qkv.'),
    (_BLOCK + r'attn\.out_proj\.', r'layers.\1.attn.proj.'),
    (_BLOCK + r'mlp\.c_fc\.', r'layers.\1.ffn.layers.0.0.'),
    (_BLOCK + r'mlp\.c_proj\.', r'layers.\1.ffn.layers.1.'),
)
# transformers' CLIPVisionModel, SiglipVisionModel and Siglip2VisionModel
_HF_LAYER = r'encoder\.layers\.(\d+)\.'
HF_TO_MM = (
    (r'embeddings\.class_embedding', 'cls_token'),
    (r'embeddings\.position_embedding\.weight', 'pos_embed'),
    (r'embeddings\.patch_embedding\.', 'patch_embed.projection.'),
    (r'pre_layr?norm\.', 'pre_norm.'),
    (r'post_layernorm\.', 'ln1.'),
    (_HF_LAYER + r'layer_norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_LAYER + r'self_attn\.qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_LAYER + r'self_attn\.out_proj\.', r'layers.\1.attn.proj.'),
    (_HF_LAYER + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (_HF_LAYER + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (r'head\.probe', 'attn_pool.latent'),
    (r'head\.attention\.out_proj\.', 'attn_pool.proj.'),
    (r'head\.attention\.', 'attn_pool.'),
    (r'head\.layernorm\.', 'attn_pool.norm.'),
    (r'head\.mlp\.', 'attn_pool.mlp.'),
)
# Apple's files, and transformers' Aimv2VisionModel
_AIM_BLOCK = r'trunk\.blocks\.(\d+)\.'
AIMV2_TO_MM = (
    (r'preprocessor\.patchifier\.proj\.', 'patch_embed.projection.'),
    (r'preprocessor\.patchifier\.', 'patch_embed.'),
    (r'preprocessor\.pos_embed', 'pos_embed'),
    (r'trunk\.post_trunk_norm\.', 'ln1.'),
    (_AIM_BLOCK + r'norm_(\d)\.', r'layers.\1.ln\2.'),
    (_AIM_BLOCK + r'mlp\.fc1\.', r'layers.\1.mlp.fc1_g.'),
    (_AIM_BLOCK + r'mlp\.fc3\.', r'layers.\1.mlp.fc1_x.'),
    (_AIM_BLOCK, r'layers.\1.'),
)
HF_AIMV2_TO_MM = (
    (r'embeddings\.patch_embed\.', 'patch_embed.projection.'),
    (r'embeddings\.rms_norm\.', 'patch_embed.norm.'),
    (r'embeddings\.position_embedding\.weight', 'pos_embed'),
    (r'rms_norm\.', 'ln1.'),
    (_HF_LAYER + r'rms_norm(\d)\.', r'layers.\1.ln\2.'),
    (_HF_LAYER + r'attention\.qkv\.', r'layers.\1.attn.qkv.'),
    (_HF_LAYER + r'attention\.out_proj\.', r'layers.\1.attn.proj.'),
    (_HF_LAYER + r'ffn\.gate_proj\.', r'layers.\1.mlp.fc1_g.'),
    (_HF_LAYER + r'ffn\.up_proj\.', r'layers.\1.mlp.fc1_x.'),
    (_HF_LAYER + r'ffn\.down_proj\.', r'layers.\1.ffn.layers.1.'),
)


def of_openai(state: State) -> State:
    """Give the class token and the positions timm's shapes (1, L, D)."""
    return {key: _batched(key, value) for key, value in state.items()}


def of_huggingface(state: State) -> State:
    """Join projections, split the pooling head's, and shape as timm does.

    SigLIP 2 for any aspect ratio embeds patches (rows, columns, colours) with a
    linear layer; the same as a convolution has the colours first.
    """
    new: State = {}
    for key, value in merge_qkv(state).items():
        match = re.fullmatch(r'(head\.attention\.)in_proj_(weight|bias)', key)
        if match:
            third = value.shape[0] // 3
            new[f'{match[1]}q.{match[2]}'] = value[:third]
            new[f'{match[1]}kv.{match[2]}'] = value[third:]
        elif key == 'embeddings.patch_embedding.weight' and value.ndim == 2:
            side = round((value.shape[1] / 3) ** 0.5)
            shaped = value.reshape(value.shape[0], side, side, 3)
            new[key] = shaped.permute(0, 3, 1, 2).contiguous()
        else:
            new[key] = _batched(key, value)
    return new


def _batched(key: str, value: Tensor) -> Tensor:
    if key.endswith('class_embedding'):
        return value.reshape(1, 1, -1)
    if key.endswith(('positional_embedding', 'position_embedding.weight')):
        return value.reshape(1, *value.shape[-2:])
    return value
