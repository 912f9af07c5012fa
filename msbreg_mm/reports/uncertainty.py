"""Intervals over test images beside those over seeds, from what runs have kept."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from mmengine.logging import print_log

from msbreg_mm.evaluation.outcomes import OUTCOMES, Outcomes, load_outcomes
from msbreg_mm.reports.bootstrap import SAMPLES, Replicates, image_difference, replicate
from msbreg_mm.reports.statistics import mark_after_holm
from msbreg_mm.reports.table import ResultTable, Row, Run
from msbreg_mm.utils.errors import InputError
from msbreg_mm.utils.files import read_json, write_json
from msbreg_mm.utils.typed import SchemaError, convert

CACHE = 'bootstrap.json'
# Of shown values; upstream's evaluators round to 0.1 AP and 0.01 mIoU.
_TOLERANCE = 0.051

Reader = Callable[[Path], dict[str, Replicates]]
Found = dict[str, dict[int, dict[str, tuple[str, Replicates]]]]


def read_outcomes(folder: Path) -> dict[str, Replicates]:
    """Score a job on samples of its images from the outcomes that it kept.

    Args:
        folder: Folder of the job.

    Returns:
        Metric → replicates; empty if it kept none.

    Raises:
        DamagedFileError: If the file is damaged.
    """
    file = folder / OUTCOMES
    if not file.is_file():
        return {}
    return cached_replicates(folder, [file], lambda: [load_outcomes(file)])


def cached_replicates(
    folder: Path, files: list[Path], load: Callable[[], Iterable[Outcomes]]
) -> dict[str, Replicates]:
    """Score a job on samples of its test images, or read that it was done.

    Args:
        folder: Folder of the job; ``bootstrap.json`` is kept there.
        files: What the outcomes are made of.
        load: Makes them.
    """
    stamp = [SAMPLES, *([file.name, file.stat().st_mtime_ns] for file in files)]
    cached = read_json(folder / CACHE)
    if cached and cached.get('of') == stamp:
        try:
            kept = convert(cached.get('replicates'), list[Replicates], CACHE)
            return {key: item for item in kept for key in item.values}
        except SchemaError:
            pass  # then they are computed again
    kept = [replicate(outcomes) for outcomes in load()]
    write_json(folder / CACHE, {'of': stamp, 'replicates': [asdict(x) for x in kept]})
    return {key: item for item in kept for key in item.values}


def add_image_differences(table: ResultTable, read: Reader = read_outcomes) -> None:
    """Give rows their differences over images, where the runs kept what it takes.

    Files that are missing or damaged are named in the notes of the table.

    Args:
        table: Filled.
        read: Reads the replicates of a job's folder.
    """
    if not table.comparisons:
        return
    try:
        found: Found = {
            row.name: {run.seed: _of_run(table, row, run, read) for run in row.runs}
            for row in table.rows
        }
    except (InputError, OSError) as error:
        _note(table, f'no intervals over images: {error}')
        return
    shown = []
    for row in table.rows:
        for column in table.columns:
            if column.key in row.differences and column.compared:
                _add(table, row, column.key, column.scale, found)
                if column.key in row.image_differences:
                    shown.append((row, column.key))
    marked = mark_after_holm([row.image_differences[key] for row, key in shown])
    for (row, key), difference in zip(shown, marked, strict=True):
        row.image_differences[key] = difference


def _add(table: ResultTable, row: Row, key: str, scale: float, found: Found) -> None:
    other = row.reference
    if other is None:
        return
    mine, theirs = found[row.name], found[other.name]
    pairs = []
    for seed in sorted(row.by_seed(key).keys() & other.by_seed(key)):
        if key not in mine[seed] or key not in theirs[seed]:
            return
        pairs.append((mine[seed][key][1], theirs[seed][key][1]))
        logged = mine[seed][key][0]
    if pairs and (difference := image_difference(pairs, logged, scale)):
        row.image_differences[key] = difference


def _of_run(
    table: ResultTable, row: Row, run: Run, read: Reader
) -> dict[str, tuple[str, Replicates]]:
    """Column key → the metric's own name and its replicates."""
    found = {}
    columns = {column.key: column for column in table.columns}
    for stored in run.stored:
        for key, item in read(stored.folder).items():
            # An ablation's columns begin with their task.
            for name in (key, f'{stored.record.task}/{key}'):
                if name not in columns or name not in run.values:
                    continue
                again = item.values[key][0] * columns[name].scale
                if abs(again - run.values[name]) <= _TOLERANCE:
                    found[name] = (key, item)
                    continue
                _note(
                    table,
                    f'no interval over images for {columns[name].title}: what '
                    f'{row.name}, seed {run.seed} kept gives {again:.1f}, its record '
                    f'says {run.values[name]:.1f}',
                )
    return found


def _note(table: ResultTable, note: str) -> None:
    print_log(f'{table.task}: {note}', 'current', logging.WARNING)
    table.notes.append(note)
