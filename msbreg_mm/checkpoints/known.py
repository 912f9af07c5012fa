"""Published architectures: what shapes do not show.

The number of attention heads cannot be computed from the width: ViT-H/14 has 16 of
80 channels, AIMv2-L has 8 of 128. Whatever stands in no table and in no config file
is unknown, and the user has to say it.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Size(NamedTuple):
    """A published size of vision transformer.

    Args:
        heads: Attention heads.
        name: As timm writes it.
    """

    heads: int
    name: str


# (width, blocks) -> size
_VIT = {
    (192, 12): Size(3, 'tiny'),
    (384, 12): Size(6, 'small'),
    (512, 12): Size(8, 'medium'),
    (768, 12): Size(12, 'base'),
    (1024, 24): Size(16, 'large'),
    (1152, 27): Size(16, 'so400m'),
    (1280, 32): Size(16, 'huge'),
    (1408, 40): Size(16, 'giant'),
    (1664, 48): Size(16, 'gigantic'),
}
SIZES: Mapping[str, Mapping[tuple[int, int], Size]] = {
    # Dosovitskiy et al., 2021 (arXiv 2010.11929); Touvron et al., 2021 (2012.12877);
    # Zhai et al., 2022 (2106.04560); Alabdulmohsin et al., 2023 (2305.13035)
    'vit': _VIT,
    # Oquab et al., 2023 (arXiv 2304.07193): 24 heads of 64
    'dinov2': {**_VIT, (1536, 40): Size(24, 'giant')},
    # Siméoni et al., 2025 (arXiv 2508.10104)
    'dinov3': {
        (192, 12): Size(3, 'tiny'),
        (384, 12): Size(6, 'small'),
        (768, 12): Size(12, 'base'),
        (1024, 24): Size(16, 'large'),
        (1280, 32): Size(20, 'huge_plus'),
        (4096, 40): Size(32, '7b'),
    },
    # Radford et al., 2021 (arXiv 2103.00020); Cherti et al., 2023 (2212.07143)
    'clip': _VIT,
    # Zhai et al., 2023 (arXiv 2303.15343); Tschannen et al., 2025 (2502.14786)
    'siglip': {**_VIT, (1536, 40): Size(16, 'giantopt')},
    # Fini et al., 2024 (arXiv 2411.14402): heads of 128
    'aimv2': {
        (768, 12): Size(6, 'base'),
        (1024, 24): Size(8, 'large'),
        (1536, 24): Size(12, 'huge'),
        (2048, 24): Size(16, '1b'),
        (3072, 24): Size(24, '3b'),
    },
    # Assran et al., 2025 (arXiv 2506.09985): the giant's heads are of 64
    'vjepa2': {
        (1024, 24): Size(16, 'large'),
        (1280, 32): Size(16, 'huge'),
        (1408, 40): Size(22, 'giant'),
    },
    # Chen et al., 2021 (arXiv 2104.02057): its ViT-S has 12 heads of 32
    'moco_v3': {**_VIT, (384, 12): Size(12, 'small')},
}

# (blocks, width of the first stage) -> size; Liu et al., 2022 (arXiv 2201.03545),
# Woo et al., 2023 (arXiv 2301.00808)
CONVNEXTS: Mapping[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 6, 2), 40): 'atto',
    ((2, 2, 6, 2), 48): 'femto',
    ((2, 2, 6, 2), 64): 'pico',
    ((2, 2, 8, 2), 80): 'nano',
    ((3, 3, 9, 3), 96): 'tiny',
    ((3, 3, 27, 3), 96): 'small',
    ((3, 3, 27, 3), 128): 'base',
    ((3, 3, 27, 3), 192): 'large',
    ((3, 3, 27, 3), 256): 'xlarge',
    ((3, 3, 27, 3), 352): 'huge',
}
# Liu et al., 2021 (arXiv 2103.14030)
SWINS: Mapping[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 6, 2), 96): 'tiny',
    ((2, 2, 18, 2), 96): 'small',
    ((2, 2, 18, 2), 128): 'base',
    ((2, 2, 18, 2), 192): 'large',
}

# What transformers' classes assume where a config file leaves it out, by layout:
# epsilon of the norms, activation
HF_DEFAULTS: Mapping[str, tuple[float, str]] = {
    'hf_vit': (1e-12, 'gelu'),
    'hf_dinov3': (1e-5, 'gelu'),
    'hf_vjepa2': (1e-6, 'gelu'),
    'hf_clip': (1e-5, 'quick_gelu'),
    'hf_siglip': (1e-6, 'gelu_pytorch_tanh'),
    'hf_aimv2': (1e-5, 'silu'),
    'hf_swin': (1e-5, 'gelu'),
}
# transformers' names of activations, as timm has them
ACTIVATIONS = {
    'gelu': 'gelu',
    'quick_gelu': 'quick_gelu',
    'gelu_pytorch_tanh': 'gelu_tanh',
    'gelu_new': 'gelu_tanh',
    'silu': 'silu',
    'swish': 'silu',
    'relu': 'relu',
}

# Networks of timm that are told apart by all of their keys and shapes; patterns of
# names, the first that fits wins. Where several differ in nothing but their function
# (resnet50 and resnetaa50), the plain one stands first.
_CANDIDATES = {
    'resnet': (
        'resnet18 resnet34 resnet26 resnet50 resnet101 resnet152 resnet10t resnet14t '
        'resnet26t resnet50t resnet18d resnet26d resnet34d resnet50d resnet101d '
        'resnet152d resnet200d resnet50c resnet101c resnet152c resnet50s resnet101s '
        'resnet152s resnet50_gn wide_resnet50_2 wide_resnet101_2 resnext50_32x4d '
        'resnext50d_32x4d resnext101_32x4d resnext101_32x8d resnext101_64x4d '
        'resnext101_32x16d seresnet18 seresnet34 seresnet50 seresnet101 seresnet152 '
        'seresnet152d seresnext26d_32x4d seresnext26t_32x4d seresnext50_32x4d '
        'seresnext101_32x4d seresnext101_32x8d ecaresnet26t ecaresnet50d ecaresnet50t '
        'resnetrs50 resnetrs101 resnetrs152 resnetrs200 skresnet18 skresnet50'
    ),
    'timm_vit': (
        'eva02_tiny_patch14_224 eva02_small_patch14_224 eva02_base_patch14_224 '
        'eva02_large_patch14_224 eva02_tiny_patch14_336 eva02_small_patch14_336 '
        'eva02_base_patch14_448 eva02_large_patch14_448 eva02_base_patch16_clip_224 '
        'eva02_large_patch14_clip_224 eva_large_patch14_196 eva_giant_patch14_224 '
        'vit_pe_core_tiny_patch16_384 vit_pe_core_small_patch16_384 '
        'vit_pe_core_base_patch16_224 vit_pe_core_large_patch14_336 '
        'vit_pe_spatial_tiny_patch16_512 vit_pe_spatial_small_patch16_512 '
        'vit_pe_spatial_base_patch16_512 vit_pe_spatial_large_patch14_448 '
        'vit_pe_lang_large_patch14_448 hiera_tiny_224 hiera_small_224 hiera_base_224 '
        'hiera_base_plus_224 hiera_large_224 hiera_huge_224 hiera_small_abswin_256 '
        'hiera_base_abswin_256 vit_relpos_small_patch16_224 '
        'vit_relpos_medium_patch16_224 vit_relpos_base_patch16_224 '
        'vit_relpos_base_patch16_clsgap_224 vit_betwixt_patch16_rope_reg4_gap_256 '
        'vit_base_patch16_rope_reg1_gap_256 vit_medium_patch16_rope_reg1_gap_256 '
        'vit_mediumd_patch16_rope_reg1_gap_256 vit_small_patch16_dinov3 '
        'vit_base_patch16_dinov3 vit_large_patch16_dinov3 '
        'vit_medium_patch16_reg4_gap_256 vit_betwixt_patch16_reg4_gap_256 '
        'vit_little_patch16_reg4_gap_256 vit_so150m_patch16_reg4_gap_256 '
        'beit3_base_patch16_224 beit3_large_patch16_224'
    ),
    'openai_clip': (
        'vit_pe_core_tiny_patch16_384 vit_pe_core_small_patch16_384 '
        'vit_pe_core_base_patch16_224 vit_pe_core_large_patch14_336 '
        'vit_pe_core_gigantic_patch14_448 vit_pe_spatial_tiny_patch16_512 '
        'vit_pe_spatial_small_patch16_512 vit_pe_spatial_base_patch16_512 '
        'vit_pe_spatial_large_patch14_448 vit_pe_spatial_gigantic_patch14_448 '
        'vit_pe_lang_large_patch14_448 vit_pe_lang_gigantic_patch14_448'
    ),
    'radio': (
        'vit_base_patch16_radio_v3 vit_large_patch16_radio_v3 '
        'vit_huge_patch16_radio_v3 vit_giant_patch16_radio_v3 '
        'vit_so400m_patch16_radio_v4 vit_huge_patch16_radio_v4'
    ),
    'swin': (
        'swin_tiny_patch4_window7_224 swin_small_patch4_window7_224 '
        'swin_base_patch4_window7_224 swin_large_patch4_window7_224 '
        'swin_base_patch4_window12_384 swin_large_patch4_window12_384 '
        'swin_s3_tiny_224 swin_s3_small_224 swin_s3_base_224'
    ),
    'timm_convnext': (
        'convnext_tiny_hnf convnext_atto_ols convnext_femto_ols convnext_pico_ols '
        'convnext_nano_ols convnext_atto_rms convnext_zepto_rms convnext_zepto_rms_ols '
        'convnext_large_mlp convnext_xxlarge'
    ),
}


def candidates(layout: str) -> Iterator[str]:
    """Names of timm's networks that a layout's files may hold."""
    yield from _CANDIDATES.get(layout, '').split()


def known_size(family: str, width: int, blocks: int) -> Size | None:
    """Look a vision transformer up.

    Args:
        family: Key of :data:`SIZES`; others are looked up as ``'vit'``.
        width: Embedding dimension.
        blocks: Number of blocks.

    Returns:
        Its heads and name; None of no published architecture.
    """
    return SIZES.get(family, _VIT).get((width, blocks))
