"""Imports between the rooms of the package only run downward."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'msbreg_mm'
# From the ground up; a room imports from those before it (docs/architecture.md).
ROOMS = (
    'utils', 'registry', 'ops', 'checkpoints', 'datasets', 'evaluation', 'models',
    'runs', 'reports', 'suite', 'engine', 'analysis', 'ablation', 'transfer', 'cli',
)  # fmt: skip
# They stand beside each other: none imports from another.
SIDE_BY_SIDE = {'analysis', 'ablation', 'transfer'}
# The front of the house: its names are imported when they are first used.
FACE = {'__init__', '__main__', 'api'}


def imports(text: str) -> Iterator[str]:
    """Modules that a file imports, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'relative import: write msbreg_mm.room.module'
            yield node.module or ''
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def upward(room: str, text: str) -> list[str]:
    """Imports of a file in a room that do not run downward."""
    found = {
        name.split('.')[1] if '.' in name else ''
        for name in imports(text)
        if name.split('.')[0] == 'msbreg_mm'
    }
    rank = ROOMS.index(room)
    return sorted(
        other
        for other in found & set(ROOMS)
        if other != room
        and (ROOMS.index(other) > rank or {room, other} <= SIDE_BY_SIDE)
    )


def files() -> list[Path]:
    return sorted(PACKAGE.rglob('*.py'))


def test_every_file_stands_in_a_room():
    found = {file.relative_to(PACKAGE).parts[0].removesuffix('.py') for file in files()}
    assert found <= {*ROOMS, *FACE}
    assert set(ROOMS) <= found


@pytest.mark.parametrize('room', ROOMS)
def test_arrows_only_run_downward(room):
    wrong = {
        str(file.relative_to(PACKAGE)): found
        for file in files()
        if file.relative_to(PACKAGE).parts[0].removesuffix('.py') == room
        and (found := upward(room, file.read_text(encoding='utf-8')))
    }
    assert not wrong


@pytest.mark.parametrize(
    ('room', 'text', 'expected'),
    [
        ('reports', 'def f():\n    from msbreg_mm.suite import plan', ['suite']),
        ('utils', 'import msbreg_mm.cli.train', ['cli']),
        ('ablation', 'from msbreg_mm import transfer', ['transfer']),
        ('suite', 'from msbreg_mm.runs.record import Record', []),
    ],
)
def test_the_test_sees_what_it_should(room, text, expected):
    assert upward(room, text) == expected
