"""Changes to configs and the hash of what a config computes."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import DictAction

from msbreg_mm.utils.errors import OptionError

# Keys that say where data lies or how a machine runs, not what is computed.
_NOT_HASHED = {
    'work_dir', 'data_root', 'resume', 'load_from', 'launcher', 'env_cfg',
    'num_workers', 'persistent_workers', 'pin_memory', 'sync_bn', 'visualizer',
    'vis_backends', 'transfer', 'custom_imports', 'outfile_prefix', 'log_level',
    'backend_args', 'prefetch_factor', 'randomness', 'val_interval', 'val_begin',
    'default_hooks', 'log_processor', 'cache_dir',
}  # fmt: skip


def parse_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` arguments as mmengine's tools do.

    Args:
        arguments: As given on the command line.

    Raises:
        OptionError: If one has no ``=``.
    """
    for argument in arguments:
        if '=' not in argument:
            raise OptionError(f'--cfg-options takes key=value, got {argument!r}')
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--options', nargs='+', action=DictAction)
    if not arguments:
        return {}
    return parser.parse_args(['--options', *arguments]).options


def hash_config(config: Mapping[str, Any], settings: Sequence[str] = ()) -> str:
    """Hash what a config computes: no paths, seeds or machine settings.

    Args:
        config: Resolved config.
        settings: Further text that belongs to it.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    text = json.dumps(
        [_computed(config), sorted(settings)], sort_keys=True, default=repr
    )
    return hashlib.sha256(text.encode()).hexdigest()


def label_protocol(
    protocol: str, options: dict[str, Any], settings: Sequence[str]
) -> str:
    """Add changes that alter the computation to a protocol label.

    Args:
        protocol: Label of the task.
        options: Changes to its config.
        settings: Flags of the trainer.
    """
    changes = [
        f'{key}={_computed(value)}'
        for key, value in options.items()
        if _NOT_HASHED.isdisjoint(key.split('.'))
    ]
    changes += [setting.removeprefix('--') for setting in settings]
    return f'{protocol} + {", ".join(changes)}' if changes else protocol


def _computed(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            str(key): _computed(value)
            for key, value in node.items()
            if key not in _NOT_HASHED
        }
    if isinstance(node, (list, tuple)):
        return [_computed(value) for value in node]
    # The data set is named by its files, wherever they lie.
    if isinstance(node, str) and '/' in node:
        return node.rstrip('/').rsplit('/', 1)[-1]
    return node
