"""Tables as Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from msbreg_mm.reports.cells import (
    about_uncertainty,
    footnote,
    headers,
    overview_cells,
    pair_cells,
    provenance,
    published_cells,
    row_cells,
    uncertainty_cells,
)
from msbreg_mm.reports.escape import csv_cell, markdown, one_line, tex
from msbreg_mm.reports.overview import build_overview
from msbreg_mm.reports.table import ResultTable, Row, Run

_CSV_COLUMNS = (
    'task', 'protocol', 'checkpoint', 'checkpoint_sha256', 'config_hash', 'seed',
    'metric', 'value', 'device', 'wall_time_s', 'finished', 'notes', 'versions',
    'row', 'levels', 'collapsed', 'failure',
)  # fmt: skip


def to_markdown(tables: Sequence[ResultTable]) -> str:
    """Write GitHub tables: all tasks at a glance, then each with what it rests on."""
    parts = []
    if len(tables) > 1:
        overview = '\n'.join(_pipe_table(overview_cells(build_overview(tables))))
        parts.append(f'### Overview\n\n{overview}')
    for table in tables:
        lines = [f'### {markdown(table.task)}', '']
        if table.protocol:
            lines += [f'Protocol: {markdown(table.protocol)}', '']
        if table.description:
            lines += [markdown(table.description), '']
        rows = [row_cells(table, row) for row in table.rows]
        lines += _pipe_table([headers(table), *rows, *published_cells(table)])
        if table.protocol and (pairs := pair_cells(table)):
            lines += ['', *_pipe_table(pairs)]
        if uncertainty := uncertainty_cells(table):
            lines += ['', *_pipe_table(uncertainty), '', about_uncertainty(table)]
        parts.append(
            '\n'.join(
                [*lines, '', footnote(table), '', markdown(_joined(provenance(table)))]
            )
        )
    return '\n\n'.join(parts) + '\n'


def to_latex(tables: Sequence[ResultTable]) -> str:
    """Write tables with the rules of LaTeX's booktabs package."""
    return '\n\n'.join(map(_latex_table, tables)) + '\n'


def to_csv(tables: Sequence[ResultTable]) -> str:
    """Write one line per record and metric as it was logged; failures without one."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _CSV_COLUMNS, lineterminator='\n')
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            for run in row.runs:
                for line in _csv_lines(row, run):
                    writer.writerow({key: csv_cell(x) for key, x in line.items()})
    return stream.getvalue()


def to_json(tables: Sequence[ResultTable]) -> str:
    """Write all numbers, with spread, differences and where they come from."""
    return dump_json({'tables': [describe(table) for table in tables]})


def dump_json(content: Any) -> str:
    """Write JSON; NaN and infinity, which it lacks, become text."""
    return json.dumps(_finite(content), indent=2, default=str, allow_nan=False) + '\n'


def describe(table: ResultTable) -> dict[str, Any]:
    """Turn a table into plain lists and dicts, with everything that is known."""
    return {
        'task': table.task,
        'protocol': table.protocol,
        'config_hash': table.config_hash,
        'description': table.description,
        'reference': table.reference,
        **table.about,
        'columns': [asdict(column) for column in table.columns],
        f'{table.noun}s': [
            {
                'name': row.name,
                'notes': row.notes,
                'random': row.is_random,
                **row.about,
                'summaries': {k: asdict(s) for k, s in row.summaries.items()},
                'differences': {
                    k: {**asdict(d), 'significant': d.significant}
                    for k, d in row.differences.items()
                },
                'image_differences': {
                    k: {**asdict(d), 'significant': d.significant}
                    for k, d in row.image_differences.items()
                },
                'runs': [_run(run) for run in row.runs],
            }
            for row in table.rows
        ],
        'published': [asdict(row) for row in table.published],
        'footnote': footnote(table),
        'provenance': provenance(table),
    }


def tex_row(texts: Sequence[str]) -> str:
    """Write a row of a LaTeX table, with special characters escaped."""
    return '    ' + ' & '.join(map(tex, texts)) + r' \\'


def pipe(texts: Sequence[str]) -> str:
    """Write a row of a GitHub table."""
    return '| ' + ' | '.join(map(markdown, texts)) + ' |'


def _pipe_table(rows: Sequence[Sequence[str]]) -> list[str]:
    rule = pipe(['---'] + ['---:'] * (len(rows[0]) - 1))
    return [pipe(rows[0]), rule, *map(pipe, rows[1:])]


def _latex_table(table: ResultTable) -> str:
    names = headers(table)
    about = ' '.join(
        f'{part.rstrip(".")}.' for part in (table.protocol, table.description) if part
    )
    label = re.sub(r'[^a-z0-9]+', '-', table.task.lower()).strip('-')
    if table.config_hash:
        label += f'-{table.config_hash[:6]}'
    lines = [
        *(f'% {one_line(line)}' for line in provenance(table)),
        r'\begin{table}',
        r'  \centering',
        rf'  \caption{{{tex(table.task)}. {tex(about)} {tex(footnote(table))}}}',
        rf'  \label{{tab:{label}}}',
        rf'  \begin{{tabular}}{{l{"r" * (len(names) - 1)}}}',
        r'    \toprule',
        tex_row(names),
        r'    \midrule',
        *(tex_row(row_cells(table, row)) for row in table.rows),
    ]
    if table.published:
        lines += [r'    \midrule', *map(tex_row, published_cells(table))]
    lines += [r'    \bottomrule', r'  \end{tabular}', r'\end{table}']
    return '\n'.join(lines)


def _csv_lines(row: Row, run: Run) -> list[dict[str, Any]]:
    levels = '; '.join(f'{k}={v}' for k, v in row.about.get('levels', {}).items())
    collapsed = run.about.get('collapsed')
    shared = {
        'row': row.name,
        'seed': run.seed,
        'levels': levels,
        'collapsed': '' if collapsed is None else collapsed,
        'failure': run.failure.partition('\n')[0],
    }
    lines = []
    for stored in run.stored:
        record = stored.record
        origin = {
            'task': record.task,
            'protocol': record.protocol,
            'checkpoint': record.checkpoint,
            'checkpoint_sha256': record.identity.checkpoint_sha256,
            'config_hash': record.identity.config_hash,
            'device': record.device,
            'wall_time_s': record.wall_time_s,
            'finished': record.finished,
            'notes': '; '.join(record.notes),
            'versions': ' '.join(f'{k}={v}' for k, v in record.versions.items()),
        }
        lines += [
            {**shared, **origin, 'metric': metric, 'value': value}
            for metric, value in record.metrics.items()
        ]
    return lines + ([shared] if run.failure else [])


def _run(run: Run) -> dict[str, Any]:
    return {
        'seed': run.seed,
        'values': run.values,
        'failure': run.failure,
        **run.about,
        'records': [asdict(stored.record) for stored in run.stored],
    }


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return str(node) if isinstance(node, float) and not math.isfinite(node) else node


def _joined(texts: Sequence[str]) -> str:
    return '; '.join(texts) + '.'
