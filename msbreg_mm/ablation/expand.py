"""From a grid of factors to variants."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from msbreg_mm.utils.errors import OptionError

# Name, changes (None for random initialisation), factor → level.
Named = tuple[str, dict | None, dict]


def named_variants(variants: Any, path: Path) -> list[Named]:
    """Read the variants that have names of their own.

    Args:
        variants: ``{name: changes}``; None for random initialisation.
        path: File, for messages.

    Raises:
        OptionError: If something else stands there.
    """
    if not isinstance(variants, Mapping):
        raise OptionError(f'{path}: variants is a dict of name → changes')
    for name, changes in variants.items():
        if changes is not None and not isinstance(changes, Mapping):
            raise OptionError(
                f'{path}: variant {name!r} holds {changes!r}; write a dict of dotted '
                'keys, or None for random initialisation'
            )
    return [
        (str(name), None if changes is None else dict(changes), {})
        for name, changes in variants.items()
    ]


def expand_grid(grid: Any, path: Path) -> list[Named]:
    """Multiply the levels of all factors.

    Args:
        grid: ``{key: [values]}`` or ``{name: {level: changes}}``.
        path: File, for messages.

    Raises:
        OptionError: If it is malformed, or two factors change one key.
    """
    if not isinstance(grid, Mapping) or not all(
        isinstance(levels, (Mapping, list, tuple)) and levels
        for levels in grid.values()
    ):
        raise OptionError(
            f'{path}: grid is a dict of key → list of values, or of name → '
            '{level: changes}, none of them empty'
        )
    short = short_names(grid)
    factors = [
        [(short[key], level, changes) for level, changes in _levels(key, levels, path)]
        for key, levels in grid.items()
    ]
    variants: list[Named] = []
    for combination in product(*factors) if factors else ():
        changes: dict[str, Any] = {}
        for _, _, change in combination:
            if double := changes.keys() & change.keys():
                raise OptionError(
                    f'{path}: two factors of the grid change {sorted(double)[0]!r}'
                )
            changes |= change
        levels = {name: level for name, level, _ in combination}
        variants.append((name_levels(levels), changes, levels))
    return variants


def _levels(key: str, levels: Any, path: Path) -> list[tuple[Any, dict]]:
    if not isinstance(levels, Mapping):
        return [(_level(value), {key: value}) for value in levels]
    for level, changes in levels.items():
        if not isinstance(changes, Mapping):
            raise OptionError(
                f'{path}: level {level!r} of {key!r} holds {changes!r}; write a dict '
                'of dotted keys'
            )
    return [(level, dict(changes)) for level, changes in levels.items()]


def _level(value: Any) -> Any:
    """Name a value; dicts by their type."""
    if isinstance(value, Mapping):
        return value.get('type', 'on')
    return value if isinstance(value, (int, float, str)) else str(value)


def short_names(grid: Mapping[str, Any]) -> dict[str, str]:
    """Shorten dotted keys to their last two names; free names stay."""
    short = {}
    for key in grid:
        parts = [p for p in key.removeprefix('+').split('.') if not p.isdigit()]
        short[key] = key if ' ' in key else '.'.join(parts[-2:])
    if len(set(short.values())) < len(short):
        return {key: key for key in grid}
    return short


def name_levels(levels: Mapping[str, Any]) -> str:
    """Name a variant: words stand for themselves, numbers need their factor."""
    return ', '.join(
        level if isinstance(level, str) and level not in ('None', 'True', 'False')
        else f'{factor}={level}'
        for factor, level in levels.items()
    )  # fmt: skip
