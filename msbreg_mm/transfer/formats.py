"""Tables as Markdown, LaTeX, CSV and for the terminal."""

import csv
import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.transfer.overview import Overview, build_overview, build_pairs
from msbreg_mm.transfer.statistics import Difference, Summary
from msbreg_mm.transfer.table import Column, ResultTable, Row

MISSING = '–'
_CSV_COLUMNS = (
    'task', 'protocol', 'checkpoint', 'checkpoint_sha256', 'config_hash', 'seed',
    'metric', 'value', 'device', 'wall_time_s', 'finished', 'notes', 'versions',
)  # fmt: skip
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


def format_hours(hours: float) -> str:
    """Hours with as many digits as mean something: ``0.02``, ``1.5``, ``117``."""
    return (
        f'{hours:.2f}'
        if hours < 1
        else f'{hours:.1f}'
        if hours < 20
        else f'{hours:.0f}'
    )


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


def _difference_and_p(difference: Difference | None) -> str:
    text = format_difference(difference)
    if difference is None or difference.p is None:
        return text
    return f'{text}, p = {difference.p:.2g}'


def headers(table: ResultTable) -> list[str]:
    """Column titles of a table."""
    titles = [column.title for column in table.columns]
    differences = [f'Δ {title}' for title in titles] if _compares(table) else []
    return ['checkpoint', 'seeds', *titles, *differences]


def cells(table: ResultTable, row: Row) -> list[str]:
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


def to_markdown(tables: Sequence[ResultTable]) -> str:
    """Write GitHub tables: all tasks at a glance, then one per protocol."""
    parts = []
    if len(tables) > 1:
        overview = '\n'.join(_pipe_table(overview_cells(build_overview(tables))))
        parts.append(f'### Overview\n\n{overview}')
    for table in tables:
        names = headers(table)
        lines = [f'### {table.task}', '', f'Protocol: {table.protocol}', '']
        rows = [cells(table, row) for row in table.rows]
        lines += _pipe_table([names, *rows, *published_cells(table)])
        if pairs := pair_cells(table):
            lines += ['', *_pipe_table(pairs)]
        parts.append('\n'.join([*lines, '', _provenance(table)]))
    return '\n\n'.join([*parts, f'{FOOTNOTE}\n'])


def to_latex(tables: Sequence[ResultTable]) -> str:
    """Write tables with the rules of LaTeX's booktabs package."""
    parts = []
    for table in tables:
        names = headers(table)
        lines = [
            f'% {table.task}: {_provenance(table)}',
            r'\begin{table}',
            r'  \centering',
            rf'  \caption{{{_tex(table.task)}. {_tex(table.protocol)}.}}',
            rf'  \begin{{tabular}}{{l{"r" * (len(names) - 1)}}}',
            r'    \toprule',
            tex_row(names),
            r'    \midrule',
            *(tex_row(cells(table, row)) for row in table.rows),
        ]
        if table.published:
            lines += [r'    \midrule', *map(tex_row, published_cells(table))]
        lines += [r'    \bottomrule', r'  \end{tabular}', r'\end{table}']
        parts.append('\n'.join(lines))
    return '\n\n'.join([*parts, f'% {FOOTNOTE}\n'])


def to_csv(tables: Sequence[ResultTable]) -> str:
    """Write one line per run and metric: all numbers and where they come from."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(_CSV_COLUMNS)
    for table in tables:
        for row in table.rows:
            for stored in row.records:
                record, identity = stored.record, stored.record.identity
                versions = ' '.join(f'{k}={v}' for k, v in record.versions.items())
                for metric, value in record.metrics.items():
                    writer.writerow(
                        [record.task, record.protocol, record.checkpoint,
                         identity.checkpoint_sha256, identity.config_hash,
                         identity.seed, metric, value, record.device,
                         record.wall_time_s, record.finished,
                         '; '.join(record.notes), versions]
                    )  # fmt: skip
    return stream.getvalue()


def print_tables(tables: Sequence[ResultTable], console: Console) -> None:
    """Show the tables in a terminal."""
    for result in tables:
        console.print(Text(result.task, style='bold'))
        console.print(Text(f'Protocol: {result.protocol}', style='dim'))
        table = Table(header_style='dim')
        for index, name in enumerate(headers(result)):
            table.add_column(name, justify='right' if index else 'left')
        best = _best(result)
        for row in result.rows:
            texts = [Text(text) for text in cells(result, row)]
            for index, column in enumerate(result.columns, start=2):
                if best.get(column.key) is row:
                    texts[index].stylize('bold')
            table.add_row(*texts)
        if result.published:
            table.add_section()
            for line in published_cells(result):
                table.add_row(*(Text(text, style='dim') for text in line))
        console.print(table)
        for pair in pair_cells(result)[1:]:
            metrics = zip(result.columns, pair[1:], strict=True)
            differences = '; '.join(f'{c.title} {text}' for c, text in metrics)
            console.print(Text(f'{pair[0]}: {differences}'), soft_wrap=True)
        console.print(Text(_provenance(result), style='dim'))
    if len(tables) > 1:
        head, *rows = overview_cells(build_overview(tables))
        table = Table(title='Overview', title_justify='left', header_style='dim')
        for index, name in enumerate(head):
            table.add_column(name, justify='right' if index else 'left')
        for texts in rows:
            table.add_row(*map(Text, texts))
        console.print(table)
    if tables:
        console.print(Text(FOOTNOTE, style='dim'))


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


def _hashes(row: Row) -> list[str]:
    hashes = (s.record.identity.checkpoint_sha256[:12] for s in row.records)
    return list(dict.fromkeys(filter(None, hashes)))


def _provenance(table: ResultTable) -> str:
    return '; '.join(provenance(table)) + '.'


def _compares(table: ResultTable) -> bool:
    return any(row.differences for row in table.rows)


def _best(table: ResultTable) -> dict[str, Row]:
    def mean(row: Row, column: Column) -> float:
        summary = row.summaries.get(column.key)
        return summary.mean if summary else float('-inf')

    return {
        column.key: max(table.rows, key=lambda row: mean(row, column))
        for column in table.columns
    }


def pipe(texts: Sequence[str]) -> str:
    """Write a row of a GitHub table."""
    return '| ' + ' | '.join(text.replace('|', r'\|') for text in texts) + ' |'


def _pipe_table(rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ['---'] + ['---:'] * (len(rows[0]) - 1)
    return [pipe(rows[0]), pipe(rule), *map(pipe, rows[1:])]


def tex_row(texts: Sequence[str]) -> str:
    """Write a row of a LaTeX table, with special characters escaped."""
    return '    ' + ' & '.join(map(_tex, texts)) + r' \\'


def _tex(text: str) -> str:
    for old, new in (
        ('\\', r'\textbackslash '), ('_', r'\_'), ('%', r'\%'), ('&', r'\&'),
        ('#', r'\#'), ('$', r'\$'), ('{', r'\{'), ('}', r'\}'),
        (' ± ', r' $\pm$ '), ('Δ', r'$\Delta$'), ('–', '--'), ('·', r'$\cdot$'),
        ('~', r'\textasciitilde '), ('^', r'\textasciicircum '),
    ):  # fmt: skip
        text = text.replace(old, new)
    return text
