"""Writes folders of transformers' models and what they compute; run by itself.

transformers cannot be imported beside mmpretrain. Usage: hf_models.py FOLDER
"""

import sys
from pathlib import Path

import torch
import transformers as hf
from torch import nn

SIZES = ((80, 112), (96, 64))
_VIT = dict(
    hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96
)
_SMALL = _VIT | dict(image_size=64, patch_size=16)
_RELATIVE = _SMALL | dict(use_relative_position_bias=True)
_SHARED = _SMALL | dict(use_shared_relative_position_bias=True)
_DINO = {k: v for k, v in _SMALL.items() if k != 'intermediate_size'}
_CONV = dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
_SWIN = dict(embed_dim=24, depths=[2, 2], num_heads=[2, 4])
_NAMES = {
    'vit': ('ViT', _SMALL),
    'deit': ('DeiT', _SMALL),
    'msn': ('ViTMSN', _SMALL),
    'dinov2': ('Dinov2', _DINO),
    'dinov2_gated': ('Dinov2', _DINO | dict(use_swiglu_ffn=True)),
    'dinov2_registers': ('Dinov2WithRegisters', _DINO),
    'dinov3': ('DINOv3ViT', _VIT | dict(num_register_tokens=4)),
    'dinov3_gated': (
        'DINOv3ViT',
        _VIT | dict(num_register_tokens=4, use_gated_mlp=True, hidden_act='silu'),
    ),
    'ijepa': ('IJepa', _SMALL),
    'beit': ('Beit', _RELATIVE),
    'data2vec': ('Data2VecVision', _SHARED),
    'clip': ('CLIPVision', _SMALL),
    'siglip': ('SiglipVision', _SMALL),
    'convnext': ('ConvNext', _CONV),
    'convnextv2': ('ConvNextV2', _CONV),
    'swin': ('Swin', _SWIN),
    'swinv2': ('Swinv2', _SWIN | dict(window_size=8, image_size=256)),
    'resnet': (
        'ResNet',
        dict(
            embedding_size=64,
            hidden_sizes=[16, 32, 64, 128],
            depths=[1, 1, 1, 1],
            layer_type='basic',
        ),
    ),
}
_AT_ANY_SIZE = ('ViT', 'DeiT', 'ViTMSN', 'IJepa', 'Beit', 'Data2VecVision')
_AT_ANY_SIZE += ('CLIPVision', 'SiglipVision')


def main(folder: Path) -> None:
    for name, (family, arguments) in _NAMES.items():
        torch.manual_seed(0)
        config = getattr(hf, f'{family}Config')(**arguments)
        model = getattr(hf, f'{family}Model')(config).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1 if parameter.ndim > 1 else 0.3)
        options = {}
        if family in _AT_ANY_SIZE:
            options['interpolate_pos_encoding'] = True
        expected = []
        for size in SIZES:
            generator = torch.Generator().manual_seed(1)
            images = torch.randn(2, 3, *size, generator=generator)
            with torch.no_grad():
                expected.append(model(pixel_values=images, **options).last_hidden_state)
        model.save_pretrained(folder / name)
        torch.save(expected, folder / f'{name}.expected')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
