"""The report's part about one table: figures and pictures."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.logging import print_log

from msbreg_mm.reports.findings import findings
from msbreg_mm.reports.plots import Palette, Panel, band_plot, bar_plot, seed_dots
from msbreg_mm.reports.table import ResultTable, Row
from msbreg_mm.runs.columns import Column
from msbreg_mm.runs.log import read_log
from msbreg_mm.transfer.coco_data import run_coco
from msbreg_mm.transfer.details import KINDS, Details, read_details
from msbreg_mm.transfer.predictions import SCORE, Picture, compare_predictions
from msbreg_mm.transfer.segmentations import compare_segmentations
from msbreg_mm.utils.errors import InputError

# More classes than this are shown as those that differ most.
_MOST_CLASSES = 12


@dataclass
class Section:
    """What the page shows about one table.

    Attributes:
        table: The numbers.
        findings: How the checkpoints compare, in words.
        dots: Figures of all seeds, one per metric.
        curves: Convergence figures, one per metric.
        classes: Figures of AP by class.
        sizes: Figures of AP by size.
        recall: Precision-recall figures.
        pictures: Rows of pictures, ground truth first.
        pictures_seed: Seed whose predictions are drawn.
        pictures_about: How the images were chosen.
        others: Figures that packages of others add, see :data:`PARTS`.
        notes: What could not be shown, and why.
    """

    table: ResultTable
    findings: list[str] = field(default_factory=list)
    dots: list[Panel] = field(default_factory=list)
    curves: list[Panel] = field(default_factory=list)
    classes: list[Panel] = field(default_factory=list)
    sizes: list[Panel] = field(default_factory=list)
    recall: list[Panel] = field(default_factory=list)
    pictures: list[list[Picture]] = field(default_factory=list)
    pictures_seed: int = 0
    pictures_about: str = ''
    others: list[Panel] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def describe_table(table: ResultTable, palette: Palette) -> Section:
    """Draw everything about one table.

    Args:
        table: The numbers.
        palette: Colours.

    Returns:
        The section; files that are missing or damaged are named in its notes.
    """
    section = Section(table, findings=findings(table))
    for column in table.columns:
        values = {
            row.name: list(found.values())
            for row in table.rows
            if (found := row.by_seed(column.key))
        }
        if values:
            section.dots.append(seed_dots(values, column.title, palette))
        if curve := _curves(table, column, palette):
            section.curves.append(curve)
    for add in PARTS:
        try:
            add(section, palette)
        except (InputError, OSError) as error:
            # The tables must not depend on a picture; the page says what is missing.
            note = f'details not shown: {error}'
            print_log(f'{table.task}: {note}', 'current', logging.WARNING)
            if note not in section.notes:
                section.notes.append(note)
    return section


def _curves(table: ResultTable, column: Column, palette: Palette) -> Panel | None:
    unit = table.rows[0].records[0].record.schedule.get('unit')
    bands = {}
    for row in table.rows:
        curves = [
            read_log(stored.folder, unit == 'iter').curve(column.key)
            for stored in row.records
        ]
        shared = sorted(set.intersection(*(set(x) for x, _ in curves)))
        if len(shared) > 1:
            values = [
                [dict(zip(x, y, strict=True))[at] * column.scale for at in shared]
                for x, y in curves
            ]
            bands[row.name] = (shared, values)
    label = 'iteration' if unit == 'iter' else 'epoch'
    return band_plot(bands, column.title, label, palette) if bands else None


def _add_details(section: Section, palette: Palette) -> None:
    found = {
        row.name: [read_details(stored.folder) for stored in row.records]
        for row in section.table.rows
    }
    for kind, word in KINDS.items():
        by_row = {
            name: [details[kind] for details in seeds if kind in details]
            for name, seeds in found.items()
        }
        by_row = {name: seeds for name, seeds in by_row.items() if seeds}
        if not by_row:
            continue
        classes = _grouped(by_row, 'per_class')
        title = f'{word} by class'
        if len(classes) > _MOST_CLASSES:
            title += f' ({_MOST_CLASSES} of {len(classes)} that differ most)'
            classes = dict(sorted(classes.items(), key=_gap)[:_MOST_CLASSES])
        section.classes.append(bar_plot(classes, title, palette))
        sizes = _grouped(by_row, 'by_size')
        if sizes:
            section.sizes.append(bar_plot(sizes, f'{word} by size', palette))
        bands = {
            name: ([i / 100 for i in range(101)], curves)
            for name, seeds in by_row.items()
            if (curves := [d.precision for d in seeds if d.precision])
        }
        if bands:
            title = f'{word.split()[0]} precision at IoU 0.50 (%)'
            section.recall.append(band_plot(bands, title, 'recall', palette))


def _grouped(
    by_row: dict[str, list[Details]], name: str
) -> dict[str, dict[str, list[float]]]:
    """Turn details per checkpoint into group → checkpoint → one value per seed.

    A seed that found nothing at all has AP 0 everywhere.
    """
    groups = dict.fromkeys(
        key for seeds in by_row.values() for d in seeds for key in getattr(d, name)
    )
    return {
        group: {
            row: [getattr(d, name).get(group, 0.0) for d in seeds]
            for row, seeds in by_row.items()
        }
        for group in groups
    }


def _gap(item: tuple[str, dict[str, list[float]]]) -> float:
    means = [sum(values) / len(values) for values in item[1].values()]
    return min(means) - max(means)


def _add_pictures(section: Section, palette: Palette) -> None:
    rows: Sequence[Row] = section.table.rows
    shared = set.intersection(*(set(row.seeds) for row in rows))
    if not shared:
        section.notes.append('no pictures: the checkpoints share no seed')
        return
    section.pictures_seed = min(shared)
    folders: dict[str, Path] = {
        row.name: stored.folder
        for row in rows
        for stored in row.records
        if stored.record.identity.seed == section.pictures_seed
    }
    first = next(iter(folders.values()))
    section.pictures = run_coco(first, compare_predictions, folders)
    section.pictures_about = (
        'Validation images with a typical number of objects, chosen without looking at '
        f'predictions; scores of at least {SCORE}.'
    )
    if not section.pictures:
        section.pictures = compare_segmentations(folders)
        section.pictures_about = 'The first validation images of the list.'


# What is added to each section, in this order. A package of its own appends to it
# (docs/extending.md); an InputError or OSError becomes a note on the page.
PARTS: list[Callable[[Section, Palette], None]] = [_add_details, _add_pictures]
