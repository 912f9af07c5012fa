"""Blueprints of plain vision transformers."""

import re

import timm
from torch import Tensor, allclose, linspace, ones, pi, zeros

from msbreg_mm.checkpoints.blueprints import Blueprint, Reader
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.known import Size

# A network of timm's class that turns and has neither scales nor registers
_TURNING = 'vit_pe_core_base_patch16_224'


def vit(r: Reader) -> Blueprint:
    """ViT, DeiT, DINO, MAE, I-JEPA, DINOv2, TIPS, Franca and what is like them."""
    width, _, *patch = r.shape('patch_embed.proj.weight')
    gated = _name_gated(r)
    registers = 'register_tokens' in r.state
    if registers:
        _absorb_class_position(r)
    scaled = 'blocks.0.ls1.gamma' in r.state
    family = 'dinov2' if registers or r.ckpt.format == 'dinov2' else r.ckpt.format
    if r.ckpt.layout == 'hf_vit' and scaled:
        family = 'dinov2'
    family = family if family in ('dinov2', 'moco_v3') else 'vit'
    heads, size = r.heads(family, width)
    distilled = 'dist_token' in r.state
    args = _common(r, width, heads, gated) | {'patch_size': patch[0]}
    args |= {'init_values': 1e-5} if scaled else {}
    args |= _tokens(r, distilled, patch[0])
    if gated:
        args |= {'mlp_layer': 'SwiGLUPacked', 'act_layer': 'silu'}
    name = _name(
        size,
        patch[0],
        *(['deit_{}_distilled_patch{}_224'] if distilled else []),
        *(['vit_{}_patch{}_reg4_dinov2'] if 'reg_token' in r.state and scaled else []),
        *(['vit_{}_patch{}_dinov2'] if scaled else []),
        'vit_{}_patch{}_224',
        default='deit_base_distilled_patch16_224'
        if distilled
        else 'vit_base_patch16_224',
    )
    rule = 'plain'
    if r.ckpt.format in ('dino', 'dinov2'):
        rule = 'timm' if registers else 'dino'
        if registers and r.state['reg_token'].shape[1] == 1:
            rule = 'bilinear'  # TIPS has one register, DINOv2 four
    elif r.ckpt.format in ('timm', 'open_clip') or (registers and r.is_hf):
        rule = 'timm'
    if r.ckpt.format == 'timm' and not scaled and 'pos_embed' in r.state:
        r.notes.append(
            "position embeddings follow timm's rule at other image sizes; a bare file "
            "of DINO has the same keys and resize='dino'"
        )
    plan = _plan(r, name, args, rule)
    if r.is_hf and family == 'dinov2' and 'layer_norm_eps' not in r.facts:
        plan.norm_eps = 1e-6
    return plan


def clip(r: Reader) -> Blueprint:
    """CLIP's image encoder, of OpenAI, open_clip, transformers or timm."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    heads, size = r.heads('clip', width)
    args = _common(r, width, heads) | {'patch_size': patch, 'pre_norm': True}
    args |= _tokens(r, False, patch)
    r.pop('head.weight', 'head.bias')
    name = _name(
        size, patch, 'vit_{}_patch{}_clip_224', default='vit_base_patch16_clip_224'
    )
    if r.ckpt.layout == 'openai_clip' and not r.given.get('act_layer'):
        args['act_layer'] = 'quick_gelu'
        if not any(key.endswith('input_resolution') for key in r.ckpt.ignored):
            r.notes.append(
                "OpenAI's activation (quick_gelu) was taken; open_clip's networks of "
                "the same names have act_layer='gelu'"
            )
    plan = _plan(r, name, args, 'plain' if r.is_hf else 'timm')
    # transformers normalises the pooled token only.
    plan.final_norm = not r.is_hf
    return plan


def siglip(r: Reader) -> Blueprint:
    """SigLIP's image encoder, of transformers or timm."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    heads, size = r.heads('siglip', width)
    args = _common(r, width, heads) | {'patch_size': patch}
    args |= _tokens(r, False, patch)
    sizes = (224, 256, 384, 378, 512)
    names = [f'vit_{{}}_patch{{}}_siglip_{pixels}' for pixels in sizes]
    name = _name(size, patch, *names, default='vit_base_patch16_siglip_224')
    # SigLIP 2 of any aspect ratio has no image size, but a number of patches.
    free = 'num_patches' in r.facts
    return _plan(r, name, args, 'bilinear' if free else 'plain' if r.is_hf else 'timm')


def aimv2(r: Reader) -> Blueprint:
    """AIMv2, of Apple or transformers; not its native-resolution form."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    heads, size = r.heads('aimv2', width)
    hidden = r.shape('blocks.0.mlp.fc1_g.weight')[0]
    args = _common(r, width, heads, hidden=hidden) | {'patch_size': patch}
    args |= _tokens(r, False, patch)
    name = _name(size, patch, 'aimv2_{}_patch{}_224', default='aimv2_large_patch14_224')
    return _plan(r, name, args, 'timm')


def dinov3(r: Reader) -> Blueprint:
    """DINOv3's ViT, of Meta, transformers or timm."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    _name_dinov3(r)
    heads, size = r.heads('dinov3', width)
    biased = 'blocks.0.attn.q_bias' in r.state
    gated = 'blocks.0.mlp.fc1_g.weight' in r.state
    hidden = r.shape(f'blocks.0.mlp.fc1{"_g" if gated else ""}.weight')[0]
    args: dict[str, object] = {
        'embed_dim': width,
        'depth': r.blocks(),
        'num_heads': heads,
        'mlp_ratio': _ratio(hidden, width),
        'patch_size': patch,
        'qkv_bias': biased,
        'swiglu_mlp': gated,
        'num_reg_tokens': r.state['reg_token'].shape[1] if r.has('reg_token$') else 0,
    }
    if gated:
        args['swiglu_align_to'] = 1  # separate weights, as many as there are
    if r.ckpt.format != 'timm':
        args['global_pool'] = 'token'
    if isinstance(r.facts.get('rope_theta'), int | float):
        args['rope_temperature'] = float(r.facts['rope_theta'])
    tail = '_qkvb' if biased else ''
    plus = '_plus' if gated and width == 384 else ''
    name = _name(
        size,
        patch,
        f'vit_{{}}{plus}_patch{{}}_dinov3{tail}',
        default='vit_small_patch16_dinov3',
    )
    return _plan(r, name, args, 'timm')


def beit(r: Reader) -> Blueprint:
    """BEiT, BEiT v2 and data2vec, of their authors, transformers or timm."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    table, shared = (
        f'{place}.relative_position_bias_table'
        for place in ('blocks.0.attn', 'rel_pos_bias')
    )
    own, common = (r.state.get(name) for name in (table, shared))
    tables = [value for value in (own, common) if value is not None]
    side = r.say('img_size')
    if tables:
        heads = tables[0].shape[1]
        # (2 · side − 1)² pairs of patches, and three of class tokens
        window = (r.grid(tables[0].shape[0] - 3) + 1) // 2
        side = side or window * patch
    else:
        heads = r.heads('vit', width)[0]
    if 'pos_embed' in r.state:
        side = side or r.grid(r.state['pos_embed'].shape[1] - 1) * patch
    for key in [k for k in r.state if k.endswith('relative_position_index')]:
        r.pop(key)
    pooled = 'norm.weight' not in r.state
    if pooled and 'fc_norm.weight' not in r.state:
        r.state |= {'fc_norm.weight': ones(width), 'fc_norm.bias': zeros(width)}
        r.notes.append('the file has no norm of pooled features: they get a plain one')
    args = {
        'embed_dim': width,
        'depth': r.blocks(),
        'num_heads': heads,
        'mlp_ratio': _ratio(r.shape('blocks.0.mlp.fc1.weight')[0], width),
        'patch_size': patch,
        'img_size': side or 224,
        'qkv_bias': 'blocks.0.attn.q_bias' in r.state,
        'init_values': 0.1 if 'blocks.0.gamma_1' in r.state else 0,
        'use_abs_pos_emb': 'pos_embed' in r.state,
        'use_rel_pos_bias': own is not None,
        'use_shared_rel_pos_bias': common is not None,
        'global_pool': 'avg' if pooled else 'token',
    }
    return _plan(r, 'beit_base_patch16_224', args, 'plain' if r.is_hf else 'timm')


def vjepa2(r: Reader) -> Blueprint:
    """V-JEPA 2's encoder for images: clips of one tubelet of equal frames."""
    weight = r.state['patch_embed.proj.weight']
    width, _, _, patch, _ = weight.shape
    r.state['patch_embed.proj.weight'] = weight.sum(2)
    r.pop('pos_embed')  # of an earlier version; the encoder turns instead
    heads, _ = r.heads('vjepa2', width)
    size = r.say('img_size') or r.facts.get('crop_size') or 256
    args = _eva(r, width, heads, r.shape('blocks.0.mlp.fc1.weight')[0]) | {
        'patch_size': patch,
        'img_size': size,
        'rope': f'vjepa2-{size // patch}' if r.is_hf else 'vjepa2',
    }
    r.notes.append('for images: as a clip of one time step of equal frames')
    plan = _plan(r, _TURNING, args, 'timm')
    plan.norm_eps = plan.norm_eps or 1e-6
    return plan


def capi(r: Reader) -> Blueprint:
    """CAPI's encoder."""
    width, _, patch, _ = r.shape('patch_embed.proj.weight')
    heads, _ = r.heads('vit', width)
    registers = r.shape('reg_token')[1]
    _check_capi_rope(r, width // heads)
    for key in [k for k in r.state if '.attn.rope.' in k]:
        r.pop(key)
    hidden = r.shape('blocks.0.mlp.fc1.weight')[0]
    # timm's class has biases and a weight of the last norm.
    for i in range(r.blocks()):
        r.state[f'blocks.{i}.attn.proj.bias'] = zeros(width)
        r.state[f'blocks.{i}.mlp.fc1.bias'] = zeros(hidden)
        r.state[f'blocks.{i}.mlp.fc2.bias'] = zeros(width)
    r.state['norm.weight'] = ones(width)
    args = _eva(r, width, heads, hidden) | {
        'patch_size': patch,
        'num_reg_tokens': registers,
        'qkv_bias': False,
        'norm_layer': 'rmsnorm',
        'rope_rotate_half': True,
        'rope': 'capi',
    }
    plan = _plan(r, _TURNING, args, 'timm')
    plan.norm_eps = 1e-5
    return plan


def _check_capi_rope(r: Reader, dim: int) -> None:
    steps = linspace(0, -1, dim // 4)
    once = 2 * pi * 7 * (7 / 7e-4) ** steps
    expected = zeros(2, dim)
    expected[0, : dim // 2] = once.repeat(2)
    expected[1, dim // 2 :] = once.repeat(2)
    for key, value in r.state.items():
        if key.endswith('.attn.rope.freqs') and not (
            value.shape == expected.shape
            and allclose(value.float(), expected, rtol=1e-3)
        ):
            raise CheckpointError(
                f"{r.ckpt.path}: {key} holds other frequencies than CAPI's published "
                'networks; these cannot be built with timm'
            )


def _eva(r: Reader, width: int, heads: int, hidden: int) -> dict[str, object]:
    """Arguments of a rotating network without class token and scales."""
    return {
        'embed_dim': width,
        'depth': r.blocks(),
        'num_heads': heads,
        'mlp_ratio': _ratio(hidden, width),
        'class_token': False,
        'global_pool': 'avg',
        'use_pre_transformer_norm': False,
        'use_abs_pos_emb': False,
        'use_fc_norm': False,
    }


def _plan(r: Reader, name: str, args: dict[str, object], rule: str) -> Blueprint:
    act = r.activation()
    fixed = name.startswith(('beit', _TURNING)) or 'dinov3' in name
    gated = args.get('mlp_layer') or args.get('swiglu_mlp')
    if fixed and act not in (None, 'gelu') and not gated:
        raise CheckpointError(
            f'{r.ckpt.path}: activation {act}, but timm builds this family with GELU'
        )
    if act and not fixed and not gated:
        args['act_layer'] = act
    return Blueprint(name, args, r.state, rule, r.norm_eps(), notes=r.notes)


def _name(size: Size | None, patch: int, *templates: str, default: str) -> str:
    """The first of the templates that timm has, else a network of the same class."""
    for template in templates if size else ():
        name = template.format(size.name if size else '', patch)
        if timm.is_model(name):
            return name
    return default


def _common(
    r: Reader, width: int, heads: int, gated: bool = False, hidden: int | None = None
) -> dict[str, object]:
    hidden = hidden or r.shape('blocks.0.mlp.fc1.weight')[0]
    return {
        'embed_dim': width,
        'depth': r.blocks(),
        'num_heads': heads,
        'mlp_ratio': _ratio(hidden, width),
        'qkv_bias': 'blocks.0.attn.qkv.bias' in r.state,
        'proj_bias': 'blocks.0.attn.proj.bias' in r.state,
        'qk_norm': 'blocks.0.attn.q_norm.weight' in r.state,
    }


def _ratio(hidden: int, width: int) -> float:
    """The ratio from which timm computes this many hidden channels."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


def _tokens(r: Reader, distilled: bool, patch: int) -> dict[str, object]:
    """Class and register tokens, the image size, and how features are pooled."""
    state = r.state
    has_class = 'cls_token' in state
    registers = state['reg_token'].shape[1] if 'reg_token' in state else 0
    args: dict[str, object] = {'class_token': has_class}
    if not distilled:
        args['reg_tokens'] = registers
    prefix = int(has_class) + registers + int(distilled)
    if 'pos_embed' in state:
        tokens = state['pos_embed'].shape[1]
        inside = tokens - prefix
        apart = not distilled and (inside < 1 or int(inside**0.5) ** 2 != inside)
        if not distilled:
            args['no_embed_class'] = bool(prefix) and apart
        given = r.given.get('img_size')
        args['img_size'] = given or r.grid(tokens if apart else inside) * patch
    else:
        args['pos_embed'] = 'none'
    pool = 'avg'
    if 'attn_pool.latent' in state:
        pool = 'map'
    elif has_class and 'fc_norm.weight' not in state:
        pool = 'token'
    args['global_pool'] = pool
    if not distilled:
        args['fc_norm'] = 'fc_norm.weight' in state
        args['final_norm'] = 'norm.weight' in state or 'fc_norm.weight' in state
    return args


def _name_gated(r: Reader) -> bool:
    """Name DINOv2's packed SwiGLU as timm does; whether there is one."""
    names = {'mlp.w12.': 'mlp.fc1.', 'mlp.w3.': 'mlp.fc2.'}
    gated = any('.mlp.w12.' in key for key in r.state)
    if gated:
        r.state = {
            re.sub(r'mlp\.(w12|w3)\.', lambda m: names[m[0]], key): value
            for key, value in r.state.items()
        }
    return gated


def _absorb_class_position(r: Reader) -> None:
    """DINOv2 adds the class token's position before it puts the registers in."""
    r.state['reg_token'] = r.state.pop('register_tokens')
    if 'cls_token' in r.state and 'pos_embed' in r.state:
        positions = r.state['pos_embed']
        r.state['cls_token'] = r.state['cls_token'] + positions[:, :1]
        r.state['pos_embed'] = positions[:, 1:]


def _name_dinov3(r: Reader) -> None:
    """Bring Meta's names to timm's; the key's bias is masked there, absent here."""
    new: dict[str, Tensor] = {}
    for key, value in r.state.items():
        if key.endswith(('rope_embed.periods', 'bias_mask')) or re.match(
            r'local_cls_norm\.', key
        ):
            continue
        if key.endswith('attn.qkv.bias'):
            query, _, values = value.chunk(3)
            stem = key.removesuffix('qkv.bias')
            new |= {f'{stem}q_bias': query, f'{stem}v_bias': values}
            continue
        key = re.sub(r'ls(\d)\.gamma$', r'gamma_\1', key)
        key = key.replace('storage_tokens', 'reg_token')
        key = key.replace('mlp.w1.', 'mlp.fc1_g.').replace('mlp.w2.', 'mlp.fc1_x.')
        new[key.replace('mlp.w3.', 'mlp.fc2.')] = value
    r.state = new
