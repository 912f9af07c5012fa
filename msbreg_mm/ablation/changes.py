"""Changes to a config by dotted keys, checked before anything runs."""

import difflib
from collections.abc import Mapping, MutableMapping, MutableSequence
from copy import deepcopy
from typing import Any

# A change of the length that takes the learning rate's schedule along.
EPOCHS = 'epochs'
# Before a key that the config leaves to its default.
ADD = '+'
# Stands for the place behind the end of a list, as in JSON patches (RFC 6902).
END = '-'


class ChangeError(ValueError):
    """A change does not fit the config; the message names key and neighbours."""


def apply_changes(cfg: MutableMapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Apply changes to a config in place, in their order.

    Args:
        cfg: Plain nested config.
        changes: Dotted key → value, e.g. ``'model.head.terms.singular_value': None``.
            Numbers address lists (``'custom_hooks.0.momentum'``). The value
            replaces what stands there. The key must exist, so that a typing error
            is one; ``'+key'`` adds one that the config leaves to its default, and
            ``'+key.-'`` appends to a list, new or old (``'+custom_hooks.-'``).
            ``'epochs'`` sets ``train_cfg.max_epochs`` and moves the end of the
            schedulers with it.

    Raises:
        ChangeError: If a key does not exist or cannot be added.
    """
    for key, value in changes.items():
        if key == EPOCHS:
            scale_schedule(cfg, value)
        else:
            _set(cfg, key.removeprefix(ADD), deepcopy(value), key.startswith(ADD))


def scale_schedule(cfg: MutableMapping[str, Any], epochs: int) -> None:
    """Train for another number of epochs; warm-up keeps its length.

    Args:
        cfg: Config with ``train_cfg.max_epochs``.
        epochs: At least 1, longer than the warm-up.

    Raises:
        ChangeError: If the config counts iterations, or the warm-up is too long.
    """
    old = (cfg.get('train_cfg') or {}).get('max_epochs')
    if not old:
        raise ChangeError(
            f'{EPOCHS!r} needs train_cfg.max_epochs; this config counts iterations: '
            'change train_cfg.max_iters and the schedulers by their own keys'
        )
    if not isinstance(epochs, int) or epochs < 1:
        raise ChangeError(f'{EPOCHS} must be a whole number from 1, got {epochs!r}')
    cfg['train_cfg']['max_epochs'] = epochs
    found: Any = cfg.get('param_scheduler') or []
    schedulers: list[Any] = [found] if isinstance(found, Mapping) else list(found)
    for scheduler in schedulers:
        if not scheduler.get('by_epoch', True):
            continue
        begin = scheduler.get('begin', 0)
        if begin >= epochs:
            raise ChangeError(
                f'{EPOCHS}={epochs} ends before a scheduler begins (epoch {begin}); '
                'shorten param_scheduler.0.end and param_scheduler.1.begin too'
            )
        if scheduler.get('end') == old:
            scheduler['end'] = epochs
        if scheduler.get('T_max') == old - begin:
            scheduler['T_max'] = epochs - begin


def _set(cfg: Any, key: str, value: Any, add: bool) -> None:
    parts = key.split('.')
    if add and parts[-1] == END:
        items = _find(cfg, parts[:-2], key).setdefault(parts[-2], [])
        _check_list(items, '.'.join(parts[:-1]), key)
        items.append(value)
        return
    node, last = _find(cfg, parts[:-1], key), parts[-1]
    known = not (add and isinstance(node, MutableMapping))
    node[_place(node, last, parts[:-1], key) if known else last] = value


def _find(cfg: Any, parts: list[str], key: str) -> Any:
    node = cfg
    for depth, part in enumerate(parts):
        node = node[_place(node, part, parts[:depth], key)]
    return node


def _check_list(items: Any, where: str, key: str) -> None:
    if not isinstance(items, MutableSequence):
        raise ChangeError(f'{key!r} appends to a list, but {where} is {items!r}')


def _place(node: Any, part: str, path: list[str], key: str) -> Any:
    """Find one part of a key in its container, or say what there is."""
    where = '.'.join(path) or 'the config'
    if isinstance(node, MutableMapping):
        if part in node:
            return part
        known = [str(name) for name in node]
        close = difflib.get_close_matches(part, known, n=3) or [
            f'{where}.{name}.{part}'
            for name, inner in node.items()
            if isinstance(inner, Mapping) and part in inner
        ]
        hint = (
            f'did you mean {_quoted(close)}?' if close else f'it has {_quoted(known)}'
        )
        raise ChangeError(
            f'no key {key!r}: {where} has no {part!r}; {hint} Write '
            f"'{ADD}{key}' for a key that the config leaves to its default"
        )
    if isinstance(node, MutableSequence):
        if part.lstrip('-').isdigit() and -len(node) <= int(part) < len(node):
            return int(part)
        raise ChangeError(
            f'no key {key!r}: {where} is a list of {len(node)}, {part!r} is none of '
            f"its indices; '{ADD}{where}.{END}' appends to it"
        )
    raise ChangeError(f'no key {key!r}: {where} is {node!r}, it has no {part!r}')


def _quoted(names: list[str]) -> str:
    return ', '.join(repr(name) for name in names[:12]) or 'nothing'
