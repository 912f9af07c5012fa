"""Draw the rooms of one or two checkouts and the imports between them.

    python tools/draw_rooms.py before=OLD_CHECKOUT after=. --out rooms.svg

Rooms stand on the floor that the newest layout gives them; arrows that run upward are
red. The numbers are printed, too.
"""

import argparse
import ast
from collections import Counter
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

# From the ground up; rooms of one floor stand beside each other.
FLOORS = (
    ('utils', 'registry'),
    ('ops',),
    ('checkpoints', 'datasets', 'evaluation'),
    ('models', 'runs'),
    ('reports',),
    ('suite',),
    ('engine',),
    ('analysis', 'ablation', 'transfer'),
    ('cli',),
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# Rooms of one floor that may import from those before them.
_ORDER = ('checkpoints', 'datasets', 'evaluation', 'models', 'runs')
# Kinds of a chart: a word that is drawn, what it counts, in the reader's eyes.
_PAPER, _INK, _DOWN, _UP = '#ffffff', '#1c1e21', '#9aa3ad', '#c8322b'


def read_rooms(root: Path) -> tuple[dict[str, tuple[int, int]], Counter]:
    """Count files and lines of each room, and imports between rooms.

    Args:
        root: Checkout.

    Returns:
        Room → (files, lines); (importing room, imported room) → imported names.
    """
    sizes: dict[str, tuple[int, int]] = {}
    arrows: Counter = Counter()
    package = root / 'msbreg_mm'
    for file in sorted(package.rglob('*.py')):
        parts = file.relative_to(package).with_suffix('').parts
        room = parts[0]
        if room not in FLOOR:
            continue
        text = file.read_text(encoding='utf-8')
        files, lines = sizes.get(room, (0, 0))
        sizes[room] = (files + 1, lines + len(text.splitlines()))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and not node.level:
                target = (node.module or '').split('.')
                if target[0] == 'msbreg_mm' and len(target) > 1 and target[1] != room:
                    arrows[room, target[1]] += len(node.names)
    return sizes, arrows


def runs_upward(importer: str, imported: str) -> bool:
    """Whether an arrow does not run downward in the newest layout."""
    if FLOOR[importer] == FLOOR[imported]:
        both = importer in _ORDER and imported in _ORDER
        return not both or _ORDER.index(importer) < _ORDER.index(imported)
    return FLOOR[importer] < FLOOR[imported]


def draw(axes: Axes, title: str, root: Path) -> str:
    """Draw one checkout; return its numbers in words."""
    sizes, arrows = read_rooms(root)
    known = {pair: n for pair, n in arrows.items() if pair[1] in FLOOR}
    up = {pair: n for pair, n in known.items() if runs_upward(*pair)}
    places = {
        room: (10 * (index + 0.5) / len(rooms), level)
        for level, rooms in enumerate(FLOORS)
        for index, room in enumerate(rooms)
    }
    for pair, count in sorted(known.items()):
        (x0, y0), (x1, y1) = (places[room] for room in pair)
        colour = _UP if pair in up else _DOWN
        style = {
            'arrowstyle': '-|>', 'color': colour, 'alpha': 0.9 if pair in up else 0.45,
            'lw': 0.5 + count / 14, 'connectionstyle': 'arc3,rad=0.12', 'shrinkA': 12,
            'shrinkB': 12,
        }  # fmt: skip
        axes.annotate('', (x1, y1), (x0, y0), arrowprops=style)
    for room, (x, y) in places.items():
        files, lines = sizes.get(room, (0, 0))
        box = FancyBboxPatch(
            (x - 1.15, y - 0.28), 2.3, 0.56, boxstyle='round,pad=0.02', fc=_PAPER,
            ec=_INK if files else _DOWN, lw=0.9, ls='-' if files else ':',
        )  # fmt: skip
        axes.add_patch(box)
        text = f'{files} files, {lines:,} lines' if files else 'not there'
        axes.text(x, y + 0.09, room, ha='center', va='center', fontsize=9)
        axes.text(x, y - 0.13, text, ha='center', va='center', fontsize=6.5)
    total = sum(known.values())
    summary = f'{title}: {total} imports between rooms, {sum(up.values())} upward'
    axes.set_title(summary, fontsize=10)
    axes.set_xlim(0, 10)
    axes.set_ylim(-0.5, len(FLOORS) - 0.5)
    axes.axis('off')
    rows = [f'  {a} → {b}: {n}' for (a, b), n in sorted(up.items())]
    return '\n'.join([f'{summary} ({len(up)} arrows)', *rows])


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkouts', nargs='+', help='title=folder')
    parser.add_argument('--out', default='rooms.svg')
    args = parser.parse_args()
    figure = Figure(figsize=(6.2 * len(args.checkouts), 7), layout='constrained')
    for axes, argument in zip(
        figure.subplots(1, len(args.checkouts), squeeze=False)[0],
        args.checkouts,
        strict=True,
    ):
        title, _, folder = argument.partition('=')
        print(draw(axes, title, Path(folder)))
    figure.savefig(args.out, facecolor=_PAPER)


if __name__ == '__main__':
    main()
