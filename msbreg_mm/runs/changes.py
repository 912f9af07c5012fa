"""Changes to a config by dotted keys, checked before anything runs."""

import difflib
from collections.abc import Mapping, MutableMapping, MutableSequence
from copy import deepcopy
from typing import Any

from msbreg_mm.runs.schedule import scale_schedule
from msbreg_mm.utils.errors import OptionError

# A change of the length that takes the learning rate's schedule along.
EPOCHS = 'epochs'
# Before a key that the config leaves to its default.
ADD = '+'
# Stands for the place behind the end of a list, as in JSON patches (RFC 6902).
END = '-'


class ChangeError(OptionError):
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
            ``'epochs'`` sets ``train_cfg.max_epochs`` and moves the schedulers
            with it, see :func:`~msbreg_mm.runs.schedule.scale_schedule`.

    Raises:
        ChangeError: If a key does not exist or cannot be added, or the schedule
            cannot be scaled.
    """
    for key, value in changes.items():
        if key == EPOCHS:
            try:
                scale_schedule(cfg, epochs=value)
            except OptionError as error:
                raise ChangeError(str(error)) from None
        else:
            _set(cfg, key.removeprefix(ADD), deepcopy(value), key.startswith(ADD))


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
        close = difflib.get_close_matches(part, known, n=3) or deeper(node, part, where)
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


def deeper(node: Mapping[str, Any], part: str, where: str) -> list[str]:
    """Return the keys one level further down that end in a missing part."""
    return [
        f'{where}.{name}.{part}'
        for name, inner in node.items()
        if isinstance(inner, Mapping) and part in inner
    ]


def _quoted(names: list[str]) -> str:
    return ', '.join(repr(name) for name in names[:12]) or 'nothing'
