"""What a checkpoint says of its architecture beside the weights."""

import argparse
import ast
from collections.abc import Mapping
from typing import Any

# Where training scripts keep their options.
_OPTIONS = ('args', 'hyper_parameters', 'hparams')
_OF_A_FOLDER = ('model_type', 'architecture', 'num_attention_heads')
_KEPT = (bool, int, float, str, list, tuple, dict)


def read_facts(content: Mapping[str, Any]) -> dict[str, Any]:
    """Collect plain facts; values of other types are left out.

    Args:
        content: What a checkpoint file or folder holds.

    Returns:
        A folder's ``config.json`` (of transformers: the vision model's part), our own
        ``meta.timm``, the backbone of an OpenMMLab config, or a training script's
        ``args``; the first of these that there is.
    """
    config = content.get('config')
    if isinstance(config, Mapping) and any(key in config for key in _OF_A_FOLDER):
        own = config.get('msbreg_mm')
        if isinstance(own, Mapping):  # our writer's, beside timm's
            return {'timm': _plain(own)}
        vision = config.get('vision_config')
        return _plain(vision if isinstance(vision, Mapping) else config)
    meta = content.get('meta')
    if isinstance(meta, Mapping):
        if isinstance(meta.get('timm'), Mapping):
            return {'timm': _plain(meta['timm'])}
        if isinstance(meta.get('cfg'), str) and 'TimmBackbone' in meta['cfg']:
            found = _backbone_in(meta['cfg'])
            if found:
                return {'timm': found}
    facts: dict[str, Any] = {}
    for key in _OPTIONS:
        options = content.get(key)
        if isinstance(options, argparse.Namespace):
            options = vars(options)
        if isinstance(options, Mapping):
            facts = {'args': _plain(options)}
            break
    if isinstance(content.get('arch'), str):
        facts['arch'] = content['arch']
    return facts


def _plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in values.items() if isinstance(v, _KEPT) or v is None}


def _backbone_in(text: str) -> dict[str, Any] | None:
    """Arguments of the ``TimmBackbone`` in a config's text, which is not run."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not node.args:
            pairs = {k.arg: k.value for k in node.keywords if k.arg}
        elif isinstance(node, ast.Dict):
            pairs = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
        else:
            continue
        kind = _literal(pairs.get('type'))
        if isinstance(kind, str) and kind.endswith('TimmBackbone'):
            values = {name: _literal(value) for name, value in pairs.items()}
            values.pop('type')
            values.pop('init_cfg', None)
            return values
    return None


def _literal(node: ast.expr | None) -> Any:
    """A constant's value; ``dict(a=1)`` counts as one."""
    if node is None:
        return None
    if isinstance(node, ast.Call):
        return {k.arg: _literal(k.value) for k in node.keywords if k.arg}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
