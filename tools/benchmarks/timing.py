"""What the benchmarks share: medians of variants that take turns, table and JSON."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import put_text
from rich.console import Console
from rich.table import Table

from msbreg_mm.engine import atomic_backend  # noqa: F401  registers the backend


def parser(description: str | None, repeats: int) -> argparse.ArgumentParser:
    """Return a parser with the flags of all benchmarks."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument('--repeats', type=int, default=repeats)
    result.add_argument('--device', default='cpu', help='cpu or cuda')
    result.add_argument('--threads', type=int, default=1, help="torch's threads")
    result.add_argument('--json', type=Path, help='file to write the medians to')
    return result


def seconds(call: Callable[[], Any], device: str) -> float:
    """Return the seconds of one call."""
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def medians(
    calls: Mapping[str, Callable[[], Any]],
    repeats: int,
    device: str = 'cpu',
    warm_up: int = 2,
) -> dict[str, float]:
    """Return the median milliseconds of each call.

    The calls take turns, so that other work on the machine slows all alike.
    """
    rounds = [
        {name: seconds(call, device) for name, call in calls.items()}
        for _ in range(repeats + warm_up)
    ][warm_up:]
    return {name: 1e3 * statistics.median(r[name] for r in rounds) for name in calls}


def report(title: str, rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print rows of equal keys as a table and write them to ``--json``."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(
            *(f'{v:.2f}' if isinstance(v, float) else str(v) for v in row.values())
        )
    Console().print(table)
    if args.json:
        result = {
            'benchmark': title,
            'torch': torch.__version__,
            'device': torch.cuda.get_device_name()
            if args.device != 'cpu'
            else platform.machine(),
            'threads': torch.get_num_threads(),
            'repeats': args.repeats,
            'rows': rows,
        }
        put_text(
            json.dumps(result, indent=2) + '\n',
            args.json,
            backend_args={'backend': 'msbreg_atomic'},
        )
