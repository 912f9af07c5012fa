"""Intervals over test images beside those over seeds, from what runs have kept."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from mmengine.logging import print_log

from msbreg_mm.evaluation.outcomes import OUTCOMES, Outcomes, load_outcomes
from msbreg_mm.reports.bootstrap import SAMPLES, Replicates, image_difference, replicate
from msbreg_mm.reports.statistics import mark_after_holm
from msbreg_mm.reports.table import ResultTable, Row, Run
from msbreg_mm.runs.folder import PREDICTIONS
from msbreg_mm.transfer.details import COCO_KINDS, validation_set
from msbreg_mm.transfer.matches import match_detections
from msbreg_mm.utils.errors import InputError
from msbreg_mm.utils.files import read_json, write_json
from msbreg_mm.utils.typed import SchemaError, convert

CACHE = 'bootstrap.json'
# Of shown values; upstream's evaluators round to 0.1 AP and 0.01 mIoU.
_TOLERANCE = 0.051


def add_image_differences(table: ResultTable) -> None:
    """Give rows their differences over images, where the runs kept what it takes.

    What a job gives is kept in ``bootstrap.json`` of its folder. Files that are
    missing or damaged are named in the notes of the table.

    Args:
        table: Filled.
    """
    reference = next((row for row in table.rows if row.is_reference), None)
    if reference is None:
        return
    try:
        found = {row.name: _of_row(table, row) for row in table.rows}
    except (InputError, OSError) as error:
        note = f'no intervals over images: {error}'
        print_log(f'{table.task}: {note}', 'current', logging.WARNING)
        table.notes.append(note)
        return
    shown = []
    for row in table.rows:
        for column in table.columns:
            if column.key not in row.differences:
                continue
            mine, theirs = found[row.name], found[reference.name]
            seeds = row.by_seed(column.key).keys() & reference.by_seed(column.key)
            pairs = [
                (mine[seed][column.key], theirs[seed][column.key])
                for seed in sorted(seeds)
                if column.key in mine[seed] and column.key in theirs[seed]
            ]
            if len(pairs) < len(seeds):
                continue
            difference = image_difference(pairs, column.key, column.scale)
            if difference is not None:
                row.image_differences[column.key] = difference
                shown.append((row, column.key))
    marked = mark_after_holm([row.image_differences[key] for row, key in shown])
    for (row, key), difference in zip(shown, marked, strict=True):
        row.image_differences[key] = difference


def read_replicates(folder: Path) -> dict[str, Replicates]:
    """Score a job on samples of its test images, or read that it was done.

    Args:
        folder: Folder of the job.

    Returns:
        Metric → replicates; empty if the job kept nothing that allows it.

    Raises:
        InputError: If the run's config, annotations or predictions are gone or
            damaged.
    """
    # The evaluator's own matches, else those of its predictions by COCO's rule.
    kept_by = [[folder / OUTCOMES]]
    kept_by.append([folder / f'{PREDICTIONS}.{kind}.json' for kind in COCO_KINDS])
    there = ([file for file in files if file.is_file()] for files in kept_by)
    files = next(filter(None, there), [])
    if not files:
        return {}
    stamp = [SAMPLES, *([file.name, file.stat().st_mtime_ns] for file in files)]
    cached = read_json(folder / CACHE)
    if cached and cached.get('of') == stamp:
        try:
            kept = convert(cached.get('replicates'), list[Replicates], CACHE)
            return {key: item for item in kept for key in item.values}
        except SchemaError:
            pass  # then they are computed again
    kept = [replicate(outcomes) for outcomes in _outcomes(folder, files)]
    write_json(folder / CACHE, {'of': stamp, 'replicates': [asdict(x) for x in kept]})
    return {key: item for item in kept for key in item.values}


def _of_row(table: ResultTable, row: Row) -> dict[int, dict[str, Replicates]]:
    return {
        run.seed: {
            key: item
            for stored in run.stored
            for key, item in read_replicates(stored.folder).items()
            if _agrees(table, row, run, key, item)
        }
        for run in row.runs
    }


def _agrees(table: ResultTable, row: Row, run: Run, key: str, item: Replicates) -> bool:
    """Whether what was kept gives the value that was recorded."""
    column = next((c for c in table.columns if c.key == key), None)
    if column is None or key not in run.values:
        return False
    again = item.values[key][0] * column.scale
    if abs(again - run.values[key]) <= _TOLERANCE:
        return True
    note = (
        f'no interval over images for {column.title}: what {row.name}, seed {run.seed} '
        f'kept gives {again:.1f}, its record says {run.values[key]:.1f}'
    )
    print_log(f'{table.task}: {note}', 'current', logging.WARNING)
    table.notes.append(note)
    return False


def _outcomes(folder: Path, files: list[Path]) -> Iterator[Outcomes]:
    for file in files:
        if file.suffix == '.npz':
            yield load_outcomes(file)
            continue
        kind = file.name.split('.')[1]
        yield match_detections(validation_set(folder), file, kind)
