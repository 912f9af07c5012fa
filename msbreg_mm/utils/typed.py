"""From data of a file to a dataclass, with an error that names the entry."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from msbreg_mm.utils.errors import InputError

T = TypeVar('T')

# No score, time, step or index of a run is beyond; sums of such numbers stay finite.
LARGEST = 1e15
# Of any text, and of any list or mapping.
_LONGEST, _MOST = 20_000, 100_000
# Control characters, which a terminal obeys, and halves of characters.
_UNSHOWABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]')
# Entries inside entries; more is no data of ours.
_DEEPEST = 16


class SchemaError(InputError, ValueError):
    """Data has an entry of a wrong type or an impossible value."""


def from_data(cls: type[T], content: Any, where: str = '') -> T:
    """Make a dataclass of a mapping that JSON gave.

    Args:
        cls: Dataclass; its fields are ``str``, ``int``, ``float``, ``bool``, ``Any``,
            lists, mappings and tuples of such, or dataclasses.
        content: What ``json.loads`` returned.
        where: Name of the mapping, for messages.

    Returns:
        The instance; numbers are finite, texts are what UTF-8 can hold.

    Raises:
        SchemaError: If an entry is missing, unknown, of another type, not finite,
            too long or nested too deeply.
    """
    return typing.cast('T', convert(content, cls, where))


def convert(value: Any, hint: Any, where: str = '', depth: int = 0) -> Any:
    """Check a value against a type; see :func:`from_data`.

    Args:
        value: What ``json.loads`` returned, or a part of it.
        hint: The type.
        where: Name of the entry, for messages.
        depth: How deep in the file the entry stands.

    Raises:
        SchemaError: If the value is not of the type.
    """
    if depth > _DEEPEST:
        raise SchemaError(f'{where[:80]} is nested too deeply')
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass(value, hint, where, depth)
    if origin is list or origin is tuple:
        return _sequence(value, origin, inner, where, depth)
    if origin is dict:
        _expect(value, dict, where)
        return {
            convert(key, inner[0], f'a key of {where or "it"}', depth): convert(
                item, inner[1], _join(where, key), depth + 1
            )
            for key, item in value.items()
        }
    if origin is types.UnionType or origin is typing.Union:
        return _union(value, inner, where, depth)
    if hint is Any:
        return _anything(value, where, depth)
    return _scalar(value, hint, where)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number of sensible size, and no bool."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -LARGEST <= value <= LARGEST
    )


def plain_text(value: Any, longest: int = _LONGEST) -> str:
    """Make a text that can be shown anywhere of what a file holds.

    Args:
        value: Anything; other than a text it gives ``''``.
        longest: Letters to keep.
    """
    if not isinstance(value, str):
        return ''
    return _UNSHOWABLE.sub('\ufffd', value[:longest])


def _dataclass(value: Any, hint: Any, where: str, depth: int) -> Any:
    _expect(value, dict, where)
    hints = typing.get_type_hints(hint)
    fields = {field.name: field for field in dataclasses.fields(hint)}
    if unknown := [key for key in value if key not in fields]:
        raise SchemaError(f'{_join(where, unknown[0])[:80]} is not known')
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        )
        if required and name not in value:
            raise SchemaError(f'{_join(where, name)} is missing')
    return hint(
        **{
            key: convert(item, hints[key], _join(where, key), depth + 1)
            for key, item in value.items()
        }
    )


def _sequence(
    value: Any, origin: Any, inner: tuple[Any, ...], where: str, depth: int
) -> Any:
    _expect(value, list, where)
    if origin is list or inner[-1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(inner) != len(value):
        raise SchemaError(f'{where} has {len(value)} entries, expected {len(inner)}')
    pairs = enumerate(zip(value, inner, strict=True))
    return origin(convert(x, t, f'{where}[{i}]', depth + 1) for i, (x, t) in pairs)


def _union(value: Any, inner: tuple[Any, ...], where: str, depth: int) -> Any:
    if value is None and types.NoneType in inner:
        return None
    error = SchemaError(f'{where} is of no known type')
    for hint in inner:
        if hint is not types.NoneType:
            try:
                return convert(value, hint, where, depth)
            except SchemaError as found:
                error = found
    raise error


def _anything(value: Any, where: str, depth: int) -> Any:
    if isinstance(value, dict):
        return convert(value, dict[str, Any], where, depth)
    if isinstance(value, list):
        return convert(value, list[Any], where, depth)
    if value is None or isinstance(value, bool):
        return value
    number = isinstance(value, int) and not isinstance(value, bool)
    return _scalar(
        value, str if isinstance(value, str) else int if number else float, where
    )


def _scalar(value: Any, hint: Any, where: str) -> Any:
    if hint is str:
        _expect(value, str, where)
        if _UNSHOWABLE.search(value):
            raise SchemaError(f'{where} is a text that cannot be shown')
        return value
    if hint is bool:
        _expect(value, bool, where)
        return value
    if not is_number(value):
        said = _kind(value)
        said = repr(value)[:40] if said == 'a number' else said
        raise SchemaError(f'{where} is {said}, expected a finite number')
    if hint is int:
        if value != math.floor(value):
            raise SchemaError(f'{where} is {value!r}, expected a whole number')
        return int(value)
    return float(value)


def _expect(value: Any, kind: type, where: str) -> None:
    if not isinstance(value, kind):
        raise SchemaError(f'{where or "it"} is {_kind(value)}, expected {_NAMES[kind]}')
    if not isinstance(value, bool) and len(value) > _MOST:  # type: ignore[arg-type]
        raise SchemaError(f'{where or "it"} is too long ({len(value):,})')  # type: ignore[arg-type]


_NAMES: Mapping[type, str] = {
    dict: 'a mapping',
    list: 'a list',
    str: 'a text',
    bool: 'true or false',
}


def _kind(value: Any) -> str:
    return 'null' if value is None else _NAMES.get(type(value), 'a number')


def _join(where: str, key: Any) -> str:
    return f'{where}.{key}' if where else str(key)
