"""The table of an ablation as Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json
import math
from dataclasses import asdict
from typing import Any

from msbreg_mm.ablation.results import TIME, Column, Results, Row, RunResult
from msbreg_mm.reports.cells import MISSING, format_difference
from msbreg_mm.reports.formats import pipe, tex_row
from msbreg_mm.reports.statistics import Summary

_CSV_COLUMNS = (
    'ablation', 'variant', 'levels', 'seed', 'metric', 'value', 'collapsed', 'failure',
    'config_hash', 'device', 'finished',
)  # fmt: skip


def footnote(results: Results) -> str:
    """Say how to read the table."""
    text = '± is the sample standard deviation over seeds. '
    if any(row.differences for row in results.rows):
        same = '' if results.has_one_reference else ' at equal other factors'
        text += (
            f'Δ is the mean difference to {results.ablation.reference!r}{same}, paired '
            'over seeds, with its 95 % t-interval; * marks intervals that leave out '
            'zero, not corrected for the number of comparisons. '
        )
    return text + (
        'Collapsed are runs with collapsed readings in the last tenth of their '
        'training.'
    )


def headers(results: Results) -> list[str]:
    """Column titles; differences stand beside their metric."""
    titles = ['variant', 'seeds']
    for column in results.columns:
        if column.key == TIME and _watched(results):
            titles.append('collapsed')
        titles.append(column.title)
        if _compares(results, column):
            titles.append(f'Δ {column.title}')
    return titles


def cells(results: Results, row: Row) -> list[str]:
    """Texts of a row, as :func:`headers` names them."""
    texts = [row.variant.name, str(len(row.seeds)) + _failed(row)]
    for column in results.columns:
        if column.key == TIME and _watched(results):
            found = row.collapsed
            texts.append(f'{found[0]} of {found[1]}' if found else MISSING)
        texts.append(_value(row.summaries.get(column.key), column))
        if _compares(results, column):
            texts.append(format_difference(row.differences.get(column.key)))
    return texts


def provenance(results: Results) -> list[str]:
    """Say where the numbers come from: seeds, schedules, versions, devices."""
    records = results.records
    seeds = ', '.join(map(str, results.ablation.seeds))
    hours = sum(record.wall_time_s for record in records) / 3600
    texts = [f'seeds {seeds}', f'{len(records)} runs, {hours:.2f} hours']
    protocols = {f'{r.task}: {r.protocol}' for r in records}
    versions = {tuple(record.versions.items()) for record in records}
    texts += sorted(protocols)
    for group in sorted(versions):
        texts.append(', '.join(f'{name} {number}' for name, number in group))
    return texts + sorted({record.device for record in records})


def to_markdown(results: Results) -> str:
    """Write a GitHub table."""
    names = headers(results)
    lines = [f'### {results.ablation.name}', '']
    if results.ablation.description:
        lines += [results.ablation.description, '']
    lines += [pipe(names), pipe(['---'] + ['---:'] * (len(names) - 1))]
    lines += [pipe(cells(results, row)) for row in results.rows]
    lines += ['', footnote(results), '', '; '.join(provenance(results)) + '.']
    return '\n'.join(lines) + '\n'


def to_latex(results: Results) -> str:
    """Write a table with the rules of LaTeX's booktabs package."""
    names = headers(results)
    lines = [
        *(f'% {text}' for text in provenance(results)),
        r'\begin{table}',
        r'  \centering',
        rf'  \begin{{tabular}}{{l{"r" * (len(names) - 1)}}}',
        r'    \toprule',
        tex_row(names),
        r'    \midrule',
        *(tex_row(cells(results, row)) for row in results.rows),
        r'    \bottomrule',
        r'  \end{tabular}',
        r'\end{table}',
        f'% {footnote(results)}',
    ]
    return '\n'.join(lines) + '\n'


def to_csv(results: Results) -> str:
    """Write one line per run and metric; failed runs have one without."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(_CSV_COLUMNS)
    for row in results.rows:
        levels = '; '.join(f'{k}={v}' for k, v in row.variant.levels.items())
        for result in row.runs:
            first = result.records[0] if result.records else None
            config_hash = first.identity.config_hash if first else ''
            ends = (
                [config_hash, first.device, first.finished] if first else ['', '', '']
            )
            values: dict[str, Any] = dict(result.values)
            if result.failure:
                values.setdefault('', '')
            for key, value in values.items():
                writer.writerow(
                    [results.ablation.name, row.variant.name, levels, result.run.seed,
                     key, value, '' if result.collapsed is None else result.collapsed,
                     result.failure.partition('\n')[0], *ends]
                )  # fmt: skip
    return stream.getvalue()


def to_json(results: Results) -> str:
    """Write all numbers, with changes, spread, differences and versions."""
    ablation = results.ablation
    content = {
        'ablation': ablation.name,
        'description': ablation.description,
        'reference': ablation.reference,
        'factors': list(ablation.factors),
        'columns': [asdict(column) for column in results.columns],
        'variants': [
            {
                'name': row.variant.name,
                'base': str(row.variant.base) if row.variant.base else None,
                'changes': dict(row.variant.changes),
                'levels': dict(row.variant.levels),
                'summaries': {k: asdict(s) for k, s in row.summaries.items()},
                'differences': {k: asdict(d) for k, d in row.differences.items()},
                'runs': [_run(result) for result in row.runs],
            }
            for row in results.rows
        ],
        'provenance': provenance(results),
    }
    return json.dumps(_finite(content), indent=2, default=str, allow_nan=False) + '\n'


def best(results: Results, column: Column) -> Row | None:
    """Row with the best mean of a column; ``None`` where none is better."""
    rows = [row for row in results.rows if column.key in row.summaries]
    if not rows or not column.better:
        return None
    return max(rows, key=lambda row: column.better * row.summaries[column.key].mean)


def _run(result: RunResult) -> dict[str, Any]:
    return {
        'seed': result.run.seed,
        'values': result.values,
        'collapsed': result.collapsed,
        'failure': result.failure,
        'folders': [str(result.run.job.folder)] if result.run.job else [],
        'records': [asdict(record) for record in result.records],
    }


def _finite(node: Any) -> Any:
    """Write NaN and infinity, which JSON lacks, as text."""
    if isinstance(node, dict):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return str(node) if isinstance(node, float) and not math.isfinite(node) else node


def _compares(results: Results, column: Column) -> bool:
    """Whether the table shows differences: of the first metric of each task."""
    return column.headline and any(row.differences for row in results.rows)


def _watched(results: Results) -> bool:
    return any(row.collapsed for row in results.rows)


def _failed(row: Row) -> str:
    failed, diverged = len(row.failures), row.diverged
    parts = [f'{diverged} diverged'] if diverged else []
    parts += [f'{failed - diverged} failed'] if failed > diverged else []
    return f' ({", ".join(parts)})' if parts else ''


def _value(summary: Summary | None, column: Column) -> str:
    if summary is None:
        return MISSING
    text = f'{summary.mean:.{column.digits}f}'
    return text if summary.std is None else f'{text} ± {summary.std:.{column.digits}f}'
