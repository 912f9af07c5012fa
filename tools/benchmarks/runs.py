"""What the training experiments share: one JSON line per run, mean ± std over seeds."""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions

Row = dict[str, Any]


def parser(description: str, names: Sequence[str]) -> argparse.ArgumentParser:
    """Return the flags of every training experiment."""
    flags = argparse.ArgumentParser(description=description)
    flags.add_argument('data_root', type=Path, help='folder with train.npz, val.npz')
    flags.add_argument('--out', type=Path, required=True, help='JSON lines of results')
    flags.add_argument('--variants', nargs='+', choices=names, default=names)
    flags.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    return flags


@contextmanager
def open_runner(config: Path, seed: int, changes: Row) -> Iterator[Runner]:
    """Build a silent runner whose folder lasts as long as the context."""
    with tempfile.TemporaryDirectory() as work_dir:
        names = {
            # mmengine allows one runner of a name in a process
            'experiment_name': f'{config.stem}-{seed}-{time.time_ns()}',
            'log_level': 'ERROR',
        }
        yield build_runner(
            LaunchOptions(
                config=str(config),
                work_dir=work_dir,
                seed=seed,
                cfg_options={**names, **changes},
            )
        )


def pretrain(
    config: Path, seed: int, data_root: Path, changes: Row, train: bool = True
) -> torch.nn.Module:
    """Pretrain in this process, without a checkpoint, and return the model."""
    changes = {
        'data_root': f'{data_root}/',
        'default_hooks.checkpoint.interval': -1,
        'default_hooks.checkpoint.save_last': False,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        **changes,
    }
    with open_runner(config, seed, changes) as runner:
        if train:
            runner.train()
        else:
            runner.model.init_weights()
    return runner.model


def run_missing(
    args: argparse.Namespace,
    run: Callable[[str, int, argparse.Namespace], Row],
    settings: Sequence[str] = (),
) -> list[Row]:
    """Run what ``args.out`` has no line of, seed by seed, and return the rows.

    Rows of other ``settings``, the names of flags, are left in the file and not used.
    """
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '2')))
    mine = {name: getattr(args, name) for name in settings}
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    rows = [row for row in map(json.loads, lines) if mine.items() <= row.items()]
    done = {(row['variant'], row['seed']) for row in rows}
    for seed in args.seeds:
        for name in args.variants:
            if (name, seed) in done:
                continue
            row = {'variant': name, 'seed': seed, **mine, **run(name, seed, args)}
            rows.append(row)
            with args.out.open('a') as stream:
                stream.write(json.dumps(row) + '\n')
            print(row, flush=True)
    return rows


def show(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print mean and standard deviation over seeds."""
    table = Table('variant', 'seeds', *columns)
    for name in dict.fromkeys(row['variant'] for row in rows):
        mine = [row for row in rows if row['variant'] == name]
        cells = []
        for column in columns:
            values = [row[column] for row in mine]
            spread = f' ± {statistics.stdev(values):.1f}' if len(values) > 1 else ''
            cells.append(f'{statistics.mean(values):.1f}{spread}')
        table.add_row(name, str(len(mine)), *cells)
    Console().print(table)
