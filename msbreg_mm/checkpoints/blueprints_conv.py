"""Blueprints of hierarchical networks: ConvNeXt, Swin and ResNets."""

import re

from torch import ones, zeros

from msbreg_mm.checkpoints.architectures import count
from msbreg_mm.checkpoints.blueprints import Blueprint, Reader
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.known import CONVNEXTS, SWINS


def convnext(r: Reader) -> Blueprint:
    """ConvNeXt and ConvNeXt V2, DINOv3's too."""
    depths = tuple(
        count(r.state, rf'stages\.{i}\.blocks\.(\d+)\.')
        for i in range(count(r.state, r'stages\.(\d+)\.'))
    )
    dims = tuple(
        r.shape(f'stages.{i}.blocks.0.conv_dw.weight')[0] for i in range(len(depths))
    )
    second = 'blocks.0.mlp.grn.weight'
    grn = f'stages.0.{second}' in r.state
    # DINOv3's norms of feature levels are the last one again; EUPE's projectors
    levels = r.has(r'norms\.')
    for key in [k for k in r.state if re.match(r'projectors\.|norms\.', k)]:
        r.pop(key)
    if not r.has(r'head\.norm\.'):
        r.state |= {
            'head.norm.weight': ones(dims[-1]),
            'head.norm.bias': zeros(dims[-1]),
        }
        r.notes.append('the file has no norm of pooled features: they get a plain one')
    size = CONVNEXTS.get((depths, dims[0]), 'tiny')
    args = {
        'depths': depths,
        'dims': dims,
        'use_grn': grn,
        'conv_mlp': len(r.shape('stages.0.blocks.0.mlp.fc1.weight')) == 4,
        'ls_init_value': 1e-6 if 'stages.0.blocks.0.gamma' in r.state else None,
    }
    name = f'convnext{"v2" if grn else ""}_{size}'
    if name in ('convnextv2_small', 'convnextv2_xlarge', 'convnext_huge'):
        name = name[: name.rindex('_')] + '_tiny'
    plan = Blueprint(name, args, r.state, notes=r.notes)
    if r.ckpt.layout == 'hf_convnext':
        # transformers has 1e-6 everywhere but in the last norm.
        plan.norm_eps = {'head.norm': float(r.facts.get('layer_norm_eps', 1e-12))}
    elif r.is_hf:
        plan.norm_eps = float(r.facts.get('layer_norm_eps', 1e-6))
    if levels or r.ckpt.layout == 'hf_dinov3_convnext':
        plan.final_norm = 'head'  # DINOv3 normalises the map, too
    return plan


def hiera(r: Reader) -> Blueprint:
    """Hiera, of transformers."""
    width = r.shape('patch_embed.proj.weight')[0]
    heads, depths = r.facts.get('num_heads'), r.facts.get('depths')
    if not heads or not depths:
        raise CheckpointError(
            f'{r.ckpt.path}: unknown architecture: the stages and attention heads of a '
            "Hiera are not in its weights; pass arch='hiera_tiny_224'"
        )
    if not r.has(r'head\.norm\.'):
        last = width * 2 ** (len(depths) - 1)
        r.state |= {'head.norm.weight': ones(last), 'head.norm.bias': zeros(last)}
    args = {'embed_dim': width, 'num_heads': heads[0], 'stages': tuple(depths)}
    args['img_size'] = tuple(r.facts.get('image_size', (224, 224)))
    eps = float(r.facts.get('layer_norm_eps', 1e-6))
    return Blueprint('hiera_tiny_224', args, r.state, 'plain', eps, notes=r.notes)


def swin(r: Reader) -> Blueprint:
    """Swin Transformer, of Microsoft, SimMIM, MoBY, transformers or timm."""
    depths, width, heads = _swin_shape(r, 'attn.relative_position_bias_table', 1)
    table = r.shape('layers.0.blocks.0.attn.relative_position_bias_table')[0]
    window = (r.grid(table) + 1) // 2
    patch = r.shape('patch_embed.proj.weight')[-1]
    if 'absolute_pos_embed' in r.state:
        raise CheckpointError(
            f'{r.ckpt.path}: a Swin Transformer with absolute position embeddings, '
            'which timm does not have; train or fetch one without them'
        )
    args = {
        'embed_dim': width,
        'depths': depths,
        'num_heads': heads,
        'window_size': window,
        'patch_size': patch,
        'img_size': r.say('image_size') or window * 32,
        'qkv_bias': 'layers.0.blocks.0.attn.qkv.bias' in r.state,
    }
    size = SWINS.get((depths, width), 'tiny')
    rule = 'timm' if r.ckpt.format == 'timm' else 'plain'
    name = f'swin_{size}_patch4_window7_224'
    return Blueprint(name, args, r.state, rule, r.norm_eps(), notes=r.notes)


def swinv2(r: Reader) -> Blueprint:
    """Swin Transformer V2; its window stands in no tensor that files keep."""
    depths, width, heads = _swin_shape(r, 'attn.logit_scale', 0)
    window = r.say('window_size')
    if window is None:
        raise CheckpointError(
            f'{r.ckpt.path}: unknown architecture: the window of a Swin Transformer V2 '
            'cannot be read from its weights; pass window_size=… or '
            "arch='swinv2_tiny_window8_256'"
        )
    args = {
        'embed_dim': width,
        'depths': depths,
        'num_heads': heads,
        'window_size': window,
        'img_size': r.say('image_size') or window * 32,
        'pretrained_window_sizes': tuple(
            r.facts.get('pretrained_window_sizes') or (0,) * len(depths)
        ),
    }
    rule = 'timm' if r.ckpt.format == 'timm' else 'native' if r.is_hf else 'plain'
    name = 'swinv2_tiny_window8_256'
    return Blueprint(name, args, r.state, rule, r.norm_eps(), notes=r.notes)


def _swin_shape(
    r: Reader, key: str, axis: int
) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Blocks per stage, width, and heads per stage."""
    stages = range(count(r.state, r'layers\.(\d+)\.'))
    depths = tuple(count(r.state, rf'layers\.{i}\.blocks\.(\d+)\.') for i in stages)
    heads = tuple(r.shape(f'layers.{i}.blocks.0.{key}')[axis] for i in stages)
    return depths, r.shape('patch_embed.proj.weight')[0], heads


def resnet(r: Reader) -> Blueprint:
    """ResNets with torchvision's stem and shortcuts, of any width."""
    if r.ckpt.style == 'caffe':
        raise CheckpointError(
            f'{r.ckpt.path}: a ResNet of style caffe (stride in the 1×1 convolution), '
            "which timm does not have; load it into mmpretrain's ResNet"
        )
    stages = range(1, count(r.state, r'layer(\d+)\.') + 1)
    layers = tuple(count(r.state, rf'layer{i}\.(\d+)\.') for i in stages)
    bottleneck = 'layer1.0.conv3.weight' in r.state
    first = r.shape('layer1.0.conv1.weight')[0]
    group = r.shape('layer1.0.conv2.weight')[1]
    base = r.shape('layer1.0.conv3.weight')[0] // 4 if bottleneck else first
    if r.shape('conv1.weight')[0] != 64:
        raise CheckpointError(
            f'{r.ckpt.path}: {r.ckpt.arch} has a stem of {r.shape("conv1.weight")[0]} '
            "channels, timm's ResNets have 64; load it into mmpretrain's ResNet"
        )
    args: dict[str, object] = {'layers': layers}
    if base != 64:
        args['channels'] = tuple(base * 2**i for i in range(len(layers)))
    if group != first:
        cardinality = first // group
        args |= {'cardinality': cardinality, 'base_width': first // cardinality}
    elif bottleneck and first != base:
        args['base_width'] = 64 * first // base
    name = 'resnet50' if bottleneck else 'resnet18'
    known = {(2, 2, 2, 2): 18, (3, 4, 6, 3): 50 if bottleneck else 34}
    known |= {(3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
    if layers in known:
        name = f'resnet{known[layers]}'
        del args['layers']
    return Blueprint(name, args, r.state, notes=r.notes)
