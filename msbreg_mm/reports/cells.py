"""The texts of a table's cells, the same in every format."""

from msbreg_mm.reports.bootstrap import SAMPLES
from msbreg_mm.reports.overview import Overview, build_pairs
from msbreg_mm.reports.statistics import Difference, Summary
from msbreg_mm.reports.table import ResultTable, Row
from msbreg_mm.runs.columns import Column
from msbreg_mm.runs.schedule import describe

MISSING = '–'
# Fewer seeds than these hardly say how far seeds spread.
FEW_SEEDS = 3


def footnote(table: ResultTable) -> str:
    """Say how to read the table."""
    texts = ['± is the sample standard deviation over seeds.']
    if found := table.comparisons:
        tested = sum(difference.p is not None for difference in found)
        texts.append(
            f'Δ is the mean difference to {table.reference}, paired over seeds, with '
            'its 95 % t-interval.'
        )
        if tested:
            texts.append(
                '* marks intervals that leave out zero, and do so after Holm’s '
                f'correction for the {tested} comparison{"s" * (tested > 1)} of this '
                'table.'
            )
        if any(difference.n == 2 for difference in found):
            texts.append(
                'Two seeds hardly say how far seeds spread: their interval reaches '
                '12.7 standard errors.'
            )
        if any(difference.n == 1 for difference in found):
            texts.append('One seed says nothing about it: no interval.')
    return ' '.join([*texts, *table.legend])


def format_summary(summary: Summary | None, digits: int = 1) -> str:
    """``28.1 ± 0.7``; without ± for one seed."""
    if summary is None:
        return MISSING
    spread = f' ± {summary.std:.{digits}f}' if summary.std is not None else ''
    return f'{summary.mean:.{digits}f}{spread}'


def format_difference(difference: Difference | None, digits: int = 1) -> str:
    """``+5.2 [+3.9, +6.5]*``; without interval for one seed."""
    if difference is None:
        return MISSING
    text = f'{difference.mean:+.{digits}f}'
    if difference.low is not None and difference.high is not None:
        text += f' [{difference.low:+.{digits}f}, {difference.high:+.{digits}f}]'
    return text + ('*' if difference.significant else '')


def format_published(value: float | None, std: float | None) -> str:
    """A published value, with its spread where the source gives it."""
    if value is None:
        return MISSING
    return f'{value:.1f} ± {std:.1f}' if std is not None else f'{value:.1f}'


def format_device_time(hours: float) -> str:
    """Device time: ``0.4 device minutes``, ``1.5 device hours``."""
    amount, unit = (hours, 'hours') if hours >= 1 else (60 * hours, 'minutes')
    return f'{amount:.{1 if amount < 20 else 0}f} device {unit}'


def headers(table: ResultTable) -> list[str]:
    """Column titles of a table; a difference stands beside its metric."""
    titles = [table.noun, 'seeds']
    for column in table.columns:
        titles.append(column.heading)
        if table.compares(column):
            titles.append(f'Δ {column.title}')
    return titles


def row_cells(table: ResultTable, row: Row) -> list[str]:
    """Texts of a row, as :func:`headers` names them."""
    name = f'{row.name} ({"; ".join(row.notes)})' if row.notes else row.name
    texts = [name, str(len(row.seeds)) + _failed(row)]
    for column in table.columns:
        texts.append(_value(row, column))
        if table.compares(column):
            difference = row.differences.get(column.key)
            texts.append(format_difference(difference, column.digits))
    return texts


def published_cells(table: ResultTable) -> list[list[str]]:
    """Texts of the published rows; their seeds are not known here."""
    rows = []
    for row in table.published:
        texts = [f'{row.name} [{row.source}]', MISSING]
        for column in table.columns:
            value, std = row.values.get(column.title), row.std.get(column.title)
            texts.append(format_published(value, std))
            if table.compares(column):
                texts.append(MISSING)
        rows.append(texts)
    return rows


def overview_cells(overview: Overview) -> list[list[str]]:
    """Head and rows of the overview of all tables."""
    head = ['checkpoint', *(f'{task} {title}' for task, title, _ in overview.columns)]
    rows = [
        [name, *map(format_summary, summaries)]
        for name, summaries in overview.rows.items()
    ]
    return [head, *rows]


def pair_cells(table: ResultTable) -> list[list[str]]:
    """Head and rows of the differences between checkpoints; [] for fewer than two."""
    pairs = build_pairs(table)
    head = ['first − second', *(f'Δ {column.title}' for column in table.columns)]
    rows = [
        [
            ' − '.join(pair.names),
            *(_difference_and_p(difference) for difference in pair.differences),
        ]
        for pair in pairs
    ]
    return [head, *rows] if rows else []


def uncertainty_cells(table: ResultTable) -> list[list[str]]:
    """Head and rows of the two kinds of uncertainty; [] where images were not kept."""
    rows = []
    for row in table.rows:
        for column in table.columns:
            images = row.image_differences.get(column.key)
            seeds = row.differences.get(column.key)
            if images is None or seeds is None:
                continue
            shown = [seeds.significant * 'seeds', images.significant * 'images']
            rows.append(
                [
                    row.name,
                    column.title,
                    f'{seeds.mean:+.{column.digits}f}',
                    _interval(seeds, column.digits),
                    _corrected(seeds),
                    _interval(images, column.digits),
                    _corrected(images),
                    ' and '.join(filter(None, shown)) or 'neither',
                ]
            )
    head = [table.noun, 'metric', 'Δ', 'over seeds', 'p', 'over images', 'p', 'beyond']
    return [head, *rows] if rows else []


def about_uncertainty(table: ResultTable) -> str:
    """Say what the two intervals mean, and what they do not know."""
    found = [d for row in table.rows for d in row.image_differences.values()]
    few = min((d.n for d in table.comparisons), default=0) < FEW_SEEDS
    return (
        'Over seeds: where Δ would lie if the runs were made anew with other seeds '
        '(paired t-interval). Over images: where it would lie if the same runs were '
        f'scored on other images like these {found[0].n:,} (paired bootstrap, '
        f'{SAMPLES:,} samples, normal interval). Both at 95 %; each p is corrected '
        'by Holm for all comparisons of its kind. Neither covers the other: a claim '
        'about the method needs both.'
        + few
        * (
            ' With fewer than three seeds the first knows next to nothing about other '
            'seeds, and the second cannot stand in for it.'
        )
    )


def provenance(table: ResultTable) -> list[str]:
    """Say where a table's numbers come from: seeds, hashes, versions, device."""
    records = table.records
    seeds = sorted({run.seed for row in table.rows for run in row.runs})
    texts = [f'seeds {", ".join(map(str, seeds))}']
    texts.append(f'{len(records)} run{"s" * (len(records) != 1)}')
    texts[-1] += f', {table.hours:.2f} hours'
    if table.protocol:
        texts += sorted({text for r in records if (text := describe(r.schedule))})
        texts.append(f'config {table.config_hash[:12]}')
        texts += sorted({f'data {record.data}' for record in records if record.data})
        texts += [
            f'{row.name}: sha256 {", ".join(hashes)}'
            for row in table.rows
            if (hashes := _hashes(row))
        ]
    else:
        texts += sorted({f'{record.task}: {record.protocol}' for record in records})
    versions = {tuple(record.versions.items()) for record in records}
    for group in sorted(versions):
        texts.append(', '.join(f'{name} {number}' for name, number in group))
    texts += sorted({record.device for record in records})
    if table.protocol and not table.has_baseline:
        texts.append('no random-initialisation baseline was run')
    return texts


def _value(row: Row, column: Column) -> str:
    if column.key in row.texts:
        return row.texts[column.key]
    summary = row.summaries.get(column.key)
    text = format_summary(summary, column.digits)
    fewer = summary is not None and summary.n < len(row.seeds)
    return f'{text} (n = {summary.n})' if summary is not None and fewer else text


def _failed(row: Row) -> str:
    failed, diverged = len(row.failures), row.diverged
    parts = [f'{diverged} diverged'] if diverged else []
    parts += [f'{failed - diverged} failed'] if failed > diverged else []
    return f' ({", ".join(parts)})' if parts else ''


def _interval(difference: Difference, digits: int) -> str:
    if difference.low is None or difference.high is None:
        return 'no spread' if difference.n > 1 else 'one seed'
    return f'[{difference.low:+.{digits}f}, {difference.high:+.{digits}f}]'


def _corrected(difference: Difference) -> str:
    p = difference.p if difference.holm is None else difference.holm
    if p is None:
        return MISSING
    return '< 0.001' if p < 0.001 else f'{p:.3f}'


def _difference_and_p(difference: Difference | None) -> str:
    text = format_difference(difference)
    if difference is None or difference.p is None:
        return text
    return f'{text}, p = {difference.p:.2g}'


def _hashes(row: Row) -> list[str]:
    hashes = (s.record.identity.checkpoint_sha256[:12] for s in row.records)
    return list(dict.fromkeys(filter(None, hashes)))
