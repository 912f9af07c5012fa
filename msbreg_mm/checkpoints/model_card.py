"""Describe a converted backbone: a model card for people, a config for timm."""

import re
from typing import TYPE_CHECKING, Any

from msbreg_mm.checkpoints.reading import Checkpoint

if TYPE_CHECKING:
    from msbreg_mm.checkpoints.blueprints import Blueprint

_CARD = """---
tags:
- image-feature-extraction
- self-supervised-learning
library_name: timm
---

# {arch}

Backbone without classifier, converted with `msbreg_mm` from a checkpoint of format
`{format}` ({source} network).

| | |
| --- | --- |
| architecture | `{arch}` |
| parameters | {parameters:.2f} M |
| source SHA-256 | `{sha256}` |
{meta}
## Use

```python
{usage}
```
{notes}"""


def model_card(ckpt: Checkpoint) -> str:
    """Write the README.md of a safetensors folder.

    Args:
        ckpt: The backbone.

    Returns:
        Markdown with the metadata block that the Hugging Face Hub reads.
    """
    buffers = ('running_mean', 'running_var', 'num_batches_tracked')
    sizes = [v.numel() for k, v in ckpt.state_dict.items() if not k.endswith(buffers)]
    notes = ''.join(f'- {note}\n' for note in ckpt.notes)
    return _CARD.format(
        arch=ckpt.arch,
        format=ckpt.format,
        source=ckpt.source,
        parameters=sum(sizes) / 1e6,
        sha256=ckpt.sha256,
        meta=''.join(f'| {key} | {value} |\n' for key, value in ckpt.meta.items()),
        usage=_usage(ckpt),
        notes=f'\n## Notes\n\n{notes}' if notes else '',
    )


def timm_config(ckpt: Checkpoint, plan: 'Blueprint | None' = None) -> dict[str, Any]:
    """Write the config.json that timm reads from a folder.

    Args:
        ckpt: The backbone.
        plan: How timm builds it, if it does; the settings that timm does not know
            stand under ``msbreg_mm``.

    Returns:
        ``architecture`` (timm's name where timm has one, else ours), arguments and
        ``pretrained_cfg``.
    """
    size = _image_size(ckpt)
    config: dict[str, Any] = {
        'architecture': _timm_name(ckpt.arch) or ckpt.arch,
        'num_classes': 0,
        'pretrained_cfg': {
            'input_size': [3, size, size],
            'num_classes': 0,
            'mean': [0.485, 0.456, 0.406],
            'std': [0.229, 0.224, 0.225],
        },
    }
    if plan is not None:
        config['architecture'] = plan.model_name
        config['model_args'] = {k: v for k, v in plan.model_args.items() if k != 'rope'}
        config['msbreg_mm'] = plan.arguments()
    if ckpt.arch.startswith('vit') and 'pos_embed' in ckpt.state_dict and not plan:
        config['model_args'] = {'img_size': size}
        if ckpt.num_heads:
            config['num_attention_heads'] = ckpt.num_heads
            config['model_args']['num_heads'] = ckpt.num_heads
        if 'layers.0.attn.gamma1.weight' in ckpt.state_dict:
            config['model_args']['init_values'] = 1.0
    return config


def _timm_name(arch: str) -> str | None:
    if re.fullmatch(r'resnet\d+', arch):
        return arch
    size = '|'.join(('tiny_patch16', 'small_patch(8|16|32)', 'base_patch(8|16|32)'))
    if re.fullmatch(rf'vit_({size}|large_patch(16|32))', arch):
        return f'{arch}_224'
    if re.fullmatch(r'vit_(small|base|large)_patch14', arch):
        return f'{arch}_dinov2'
    return None


def _image_size(ckpt: Checkpoint) -> int:
    """Side of the images that the position embeddings are for; 224 for ResNets."""
    if not ckpt.arch.startswith('vit') or 'pos_embed' not in ckpt.state_dict:
        return 224
    tokens = ckpt.state_dict['pos_embed'].shape[1] - 1
    return (
        round(tokens**0.5) * ckpt.state_dict['patch_embed.projection.weight'].shape[-1]
    )


def _usage(ckpt: Checkpoint) -> str:
    if _timm_name(ckpt.arch):
        return (
            'import timm\n\n'
            "model = timm.create_model('local-dir:PATH', pretrained=True)"
        )
    return (
        'from msbreg_mm.checkpoints import load_backbone\n\n'
        "report = load_backbone(model, 'PATH')"
    )
