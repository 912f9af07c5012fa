"""What the training experiments share: one JSON line per run, mean ± std over seeds."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


def run_missing(
    out: Path,
    key: str,
    names: Sequence[str],
    seeds: Sequence[int],
    run: Callable[[str, int], Row],
) -> list[Row]:
    """Run what ``out`` has no line of, seed by seed, and return all rows."""
    lines = out.read_text().splitlines() if out.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(row[key], row['seed']) for row in rows}
    for seed in seeds:
        for name in names:
            if (name, seed) in done:
                continue
            row = run(name, seed)
            rows.append(row)
            with out.open('a') as stream:
                stream.write(json.dumps(row) + '\n')
            print(row, flush=True)
    return rows


def show(rows: Sequence[Row], key: str, columns: Sequence[str]) -> None:
    """Print mean and standard deviation over seeds."""
    table = Table(key, 'seeds', *columns)
    for name in dict.fromkeys(row[key] for row in rows):
        mine = [row for row in rows if row[key] == name]
        cells = []
        for column in columns:
            values = [row[column] for row in mine]
            spread = f' ± {statistics.stdev(values):.1f}' if len(values) > 1 else ''
            cells.append(f'{statistics.mean(values):.1f}{spread}')
        table.add_row(name, str(len(mine)), *cells)
    Console().print(table)
