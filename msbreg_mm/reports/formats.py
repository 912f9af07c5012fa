"""Tables as Markdown, LaTeX, CSV and for the terminal."""

import csv
import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.reports.cells import (
    FOOTNOTE,
    headers,
    overview_cells,
    pair_cells,
    provenance,
    published_cells,
    row_cells,
)
from msbreg_mm.reports.overview import build_overview
from msbreg_mm.reports.table import Column, ResultTable, Row

_CSV_COLUMNS = (
    'task', 'protocol', 'checkpoint', 'checkpoint_sha256', 'config_hash', 'seed',
    'metric', 'value', 'device', 'wall_time_s', 'finished', 'notes', 'versions',
)  # fmt: skip


def to_markdown(tables: Sequence[ResultTable]) -> str:
    """Write GitHub tables: all tasks at a glance, then one per protocol."""
    parts = []
    if len(tables) > 1:
        overview = '\n'.join(_pipe_table(overview_cells(build_overview(tables))))
        parts.append(f'### Overview\n\n{overview}')
    for table in tables:
        names = headers(table)
        lines = [f'### {table.task}', '', f'Protocol: {table.protocol}', '']
        rows = [row_cells(table, row) for row in table.rows]
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
            *(tex_row(row_cells(table, row)) for row in table.rows),
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
            texts = [Text(text) for text in row_cells(result, row)]
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
        overview = Table(title='Overview', title_justify='left', header_style='dim')
        for index, name in enumerate(head):
            overview.add_column(name, justify='right' if index else 'left')
        for row_texts in rows:
            overview.add_row(*(Text(text) for text in row_texts))
        console.print(overview)
    if tables:
        console.print(Text(FOOTNOTE, style='dim'))


def _provenance(table: ResultTable) -> str:
    return '; '.join(provenance(table)) + '.'


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
