"""The texts of a table's cells, the same in every format."""

from msbreg_mm.reports.overview import Overview, build_pairs
from msbreg_mm.reports.statistics import Difference, Summary
from msbreg_mm.reports.table import ResultTable, Row

MISSING = '–'
FOOTNOTE = (
    '± is the sample standard deviation over seeds. Δ is the mean difference to '
    'random initialisation, paired over seeds, with its 95 % t-interval; * marks '
    'intervals that leave out zero.'
)


def format_summary(summary: Summary | None) -> str:
    """``28.1 ± 0.7``; without ± for one seed."""
    if summary is None:
        return MISSING
    spread = f' ± {summary.std:.1f}' if summary.std is not None else ''
    return f'{summary.mean:.1f}{spread}'


def format_difference(difference: Difference | None) -> str:
    """``+5.2 [+3.9, +6.5]*``; without interval for one seed."""
    if difference is None:
        return MISSING
    text = f'{difference.mean:+.1f}'
    if difference.low is not None and difference.high is not None:
        text += f' [{difference.low:+.1f}, {difference.high:+.1f}]'
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
    """Column titles of a table."""
    titles = [column.title for column in table.columns]
    differences = [f'Δ {title}' for title in titles] if _compares(table) else []
    return ['checkpoint', 'seeds', *titles, *differences]


def row_cells(table: ResultTable, row: Row) -> list[str]:
    """Texts of a row, as :func:`headers` names them."""
    name = f'{row.name} ({"; ".join(row.notes)})' if row.notes else row.name
    texts = [name, str(len(row.seeds))]
    texts += [format_summary(row.summaries.get(c.key)) for c in table.columns]
    if _compares(table):
        for column in table.columns:
            difference = row.differences.get(column.key)
            texts.append(format_difference(difference))
    return texts


def published_cells(table: ResultTable) -> list[list[str]]:
    """Texts of the published rows; their seeds are not known here."""
    blanks = [MISSING] * len(table.columns) if _compares(table) else []
    return [
        [
            f'{row.name} [{row.source}]',
            MISSING,
            *(
                format_published(row.values.get(c.title), row.std.get(c.title))
                for c in table.columns
            ),
            *blanks,
        ]
        for row in table.published
    ]


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


def provenance(table: ResultTable) -> list[str]:
    """Say where a table's numbers come from: seeds, hashes, versions, device."""
    records = [stored.record for row in table.rows for stored in row.records]
    seeds = sorted({record.identity.seed for record in records})
    versions = {tuple(record.versions.items()) for record in records}
    texts = [
        f'seeds {", ".join(map(str, seeds))}',
        f'config {table.config_hash[:12]}',
    ]
    texts += [
        f'{row.name}: sha256 {", ".join(hashes)}'
        for row in table.rows
        if (hashes := _hashes(row))
    ]
    for group in sorted(versions):
        texts.append(', '.join(f'{name} {number}' for name, number in group))
    texts += sorted({record.device for record in records})
    if not table.has_baseline:
        texts.append('no random-initialisation baseline was run')
    return texts


def _difference_and_p(difference: Difference | None) -> str:
    text = format_difference(difference)
    if difference is None or difference.p is None:
        return text
    return f'{text}, p = {difference.p:.2g}'


def _hashes(row: Row) -> list[str]:
    hashes = (s.record.identity.checkpoint_sha256[:12] for s in row.records)
    return list(dict.fromkeys(filter(None, hashes)))


def _compares(table: ResultTable) -> bool:
    return any(row.differences for row in table.rows)
