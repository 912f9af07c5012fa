"""How ConvNeXt's and Swin's checkpoints name their parameters; ours is timm's."""

import math
import re

from torch import Tensor

from msbreg_mm.checkpoints.names_vit import merge_qkv

State = dict[str, Tensor]

# Facebook's ConvNeXt, ConvNeXt V2 (FCMAE) and DINOv3's
FB_CONVNEXT_TO_TIMM = (
    (r'downsample_layers\.0\.', 'stem.'),
    (r'downsample_layers\.(\d+)\.', r'stages.\1.downsample.'),
    (r'stages\.(\d+)\.(\d+)\.dwconv\.', r'stages.\1.blocks.\2.conv_dw.'),
    (r'stages\.(\d+)\.(\d+)\.pwconv(\d)\.', r'stages.\1.blocks.\2.mlp.fc\3.'),
    (r'stages\.(\d+)\.(\d+)\.grn\.gamma', r'stages.\1.blocks.\2.mlp.grn.weight'),
    (r'stages\.(\d+)\.(\d+)\.grn\.beta', r'stages.\1.blocks.\2.mlp.grn.bias'),
    (r'stages\.(\d+)\.(\d+)\.', r'stages.\1.blocks.\2.'),
    (r'norm\.', 'head.norm.'),
)
# transformers' ConvNextModel and ConvNextV2Model
_HF_BLOCK = r'encoder\.stages\.(\d+)\.layers\.(\d+)\.'
HF_CONVNEXT_TO_TIMM = (
    (r'embeddings\.patch_embeddings\.', 'stem.0.'),
    (r'embeddings\.layernorm\.', 'stem.1.'),
    (r'encoder\.stages\.(\d+)\.downsampling_layer\.', r'stages.\1.downsample.'),
    (_HF_BLOCK + r'layer_scale_parameter', r'stages.\1.blocks.\2.gamma'),
    (_HF_BLOCK + r'dwconv\.', r'stages.\1.blocks.\2.conv_dw.'),
    (_HF_BLOCK + r'layernorm\.', r'stages.\1.blocks.\2.norm.'),
    (_HF_BLOCK + r'pwconv(\d)\.', r'stages.\1.blocks.\2.mlp.fc\3.'),
    (_HF_BLOCK + r'grn\.', r'stages.\1.blocks.\2.mlp.grn.'),
    (r'layernorm\.', 'head.norm.'),
)
# transformers' DINOv3ConvNextModel
_HF_DINOV3_BLOCK = r'(?:model\.)?stages\.(\d+)\.layers\.(\d+)\.'
HF_DINOV3_CONVNEXT_TO_TIMM = (
    (r'(?:model\.)?stages\.0\.downsample_layers\.', 'stem.'),
    (
        r'(?:model\.)?stages\.(\d+)\.downsample_layers\.',
        r'stages.\1.downsample.',
    ),
    (_HF_DINOV3_BLOCK + r'depthwise_conv\.', r'stages.\1.blocks.\2.conv_dw.'),
    (_HF_DINOV3_BLOCK + r'layer_norm\.', r'stages.\1.blocks.\2.norm.'),
    (_HF_DINOV3_BLOCK + r'pointwise_conv(\d)\.', r'stages.\1.blocks.\2.mlp.fc\3.'),
    (_HF_DINOV3_BLOCK, r'stages.\1.blocks.\2.'),
    (r'layer_norm\.', 'head.norm.'),
)
# transformers' SwinModel and Swinv2Model; downsampling stands at the end of a stage
_HF_SWIN = r'encoder\.layers\.(\d+)\.blocks\.(\d+)\.'
HF_SWIN_TO_TIMM = (
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.proj.'),
    (r'embeddings\.norm\.', 'patch_embed.norm.'),
    (r'layernorm\.', 'norm.'),
    (_HF_SWIN + r'attention\.(?:self\.)?qkv\.', r'layers.\1.blocks.\2.attn.qkv.'),
    (
        _HF_SWIN + r'attention\.(?:self\.)?([qv]_bias|logit_scale)',
        r'layers.\1.blocks.\2.attn.\3',
    ),
    (
        _HF_SWIN + r'attention\.(?:self\.)?continuous_position_bias_mlp\.',
        r'layers.\1.blocks.\2.attn.cpb_mlp.',
    ),
    (
        _HF_SWIN + r'attention\.(?:self\.|relative_position_bias\.)'
        r'relative_position_bias_table',
        r'layers.\1.blocks.\2.attn.relative_position_bias_table',
    ),
    (
        _HF_SWIN + r'attention\.(?:output\.dense|o_proj)\.',
        r'layers.\1.blocks.\2.attn.proj.',
    ),
    (_HF_SWIN + r'layernorm_before\.', r'layers.\1.blocks.\2.norm1.'),
    (_HF_SWIN + r'layernorm_after\.', r'layers.\1.blocks.\2.norm2.'),
    (_HF_SWIN + r'intermediate\.dense\.', r'layers.\1.blocks.\2.mlp.fc1.'),
    (_HF_SWIN + r'output\.dense\.', r'layers.\1.blocks.\2.mlp.fc2.'),
    (_HF_SWIN + r'mlp\.fc(\d)\.', r'layers.\1.blocks.\2.mlp.fc\3.'),
    (r'encoder\.layers\.(\d+)\.', r'layers.\1.'),
)
# transformers' HieraModel, after its blocks were numbered through
HF_HIERA_TO_TIMM = (
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.proj.'),
    (r'embeddings\.position_embeddings', 'pos_embed'),
    (r'pooler\.layernorm\.', 'head.norm.'),
    (r'blocks\.(\d+)\.layernorm_before\.', r'blocks.\1.norm1.'),
    (r'blocks\.(\d+)\.layernorm_after\.', r'blocks.\1.norm2.'),
)
_FIXED = ('relative_position_index', 'relative_coords_table', 'attn_mask')


def of_convnext(state: State) -> State:
    """Give dense names and shapes to the sparse convolutions of FCMAE's training.

    MinkowskiEngine keeps kernels as (places, inputs, outputs), columns first, or
    (places, channels), and puts ``linear`` and ``ln`` into names.
    """
    dense: State = {}
    for key, value in state.items():
        name = re.sub(r'\.(?:linear|ln)\.(?=weight$|bias$)', '.', key)
        if name.endswith('.kernel'):
            name = name.removesuffix('kernel') + 'weight'
            side = math.isqrt(value.shape[0])
            if value.ndim == 2:
                value = value.t().reshape(-1, 1, side, side)
            else:
                _, inputs, outputs = value.shape
                value = value.permute(2, 1, 0).reshape(outputs, inputs, side, side)
            value = value.transpose(3, 2).contiguous()
        elif '.grn.' in name or name.endswith('.bias'):
            value = value.reshape(-1)
        dense[name] = value
    return dense


def of_swin(state: State) -> State:
    """Leave computed buffers out and move downsampling to the next stage's start.

    The authors' files, and transformers', have it at the end of a stage; timm's
    first stage has none.
    """
    state = {k: v for k, v in merge_qkv(state).items() if not k.endswith(_FIXED)}
    first = r'(encoder\.)?layers\.0\.downsample\.'
    if not any(re.match(first, key) for key in state):
        return state
    return {
        re.sub(
            r'(?<=layers\.)(\d+)(?=\.downsample\.)', lambda m: str(int(m[1]) + 1), key
        ): value
        for key, value in state.items()
    }


def of_hf_hiera(state: State) -> State:
    """Number the blocks of all stages through, as the authors and timm do."""
    pattern = re.compile(r'encoder\.stages\.(\d+)\.layers\.(\d+)\.')
    places = {(int(m[1]), int(m[2])) for key in state if (m := pattern.match(key))}
    number = {place: str(i) for i, place in enumerate(sorted(places))}
    return {
        pattern.sub(lambda m: f'blocks.{number[int(m[1]), int(m[2])]}.', key): value
        for key, value in state.items()
    }
