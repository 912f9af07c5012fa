"""What the page of an ablation shows: sentences and figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msbreg_mm.ablation.curves import EFFECTIVE_RANK, curve, curve_keys
from msbreg_mm.ablation.figures import factor_plot, grouped_dots
from msbreg_mm.ablation.layout import Layout, factor_series, make_layout
from msbreg_mm.ablation.results import TIME, Column, Results, Row
from msbreg_mm.reports.cells import format_difference
from msbreg_mm.reports.plots import Bands, Palette, band_plot, seed_dots

_TITLES = {
    EFFECTIVE_RANK: 'Effective rank of embeddings',
    'probe/knn_top1': 'Online kNN top-1 (%)',
    'probe/linear_top1': 'Online linear probe top-1 (%)',
    'probe/effective_rank': 'Effective rank of features (online)',
}
_X_LABEL = 'percent of the training'
# More sentences than these are counted instead.
_MOST_FINDINGS = 6


@dataclass
class Page:
    """Figures and sentences of an ablation.

    Attributes:
        layout: Panels and colours.
        findings: One sentence per variant that differs from the reference.
        factors: Figures of the metrics along numeric factors.
        factor_lines: Names and colours of the lines in them.
        dots: Figures of every seed.
        curves: Scalar of the training → its figures.
        curve_lines: Names and colours of the lines in them.
    """

    layout: Layout
    findings: list[str] = field(default_factory=list)
    factors: list[str] = field(default_factory=list)
    factor_lines: dict[str, int] = field(default_factory=dict)
    dots: list[str] = field(default_factory=list)
    curves: dict[str, list[str]] = field(default_factory=dict)
    curve_lines: dict[str, int] = field(default_factory=dict)

    def sheets(self) -> dict[str, tuple[list[str], dict[str, int]]]:
        """Return what each figure file shows: name → figures and their legend."""
        series = {n: self.layout.palette.css_index(n) for n in self.layout.series}
        sheets = {
            'factors': (self.factors, self.factor_lines),
            'seeds': (self.dots, series if len(self.layout.panels) > 1 else {}),
        }
        if len(self.layout.panels) == 1:
            all_curves = [figure for found in self.curves.values() for figure in found]
            sheets['curves'] = (all_curves, self.curve_lines)
        else:
            for key, figures in self.curves.items():
                sheets[f'curves-{key.replace("/", "-")}'] = (figures, self.curve_lines)
        return {name: found for name, found in sheets.items() if found[0]}


def describe(results: Results) -> Page:
    """Draw everything about an ablation.

    Args:
        results: The numbers.
    """
    page = Page(make_layout(results), findings=_findings(results))
    columns = [column for column in results.columns if column.key != TIME]
    for factor in results.ablation.factors:
        _add_factor(page, results, factor, columns)
    for column in columns:
        if dots := _dots(page.layout, results, column):
            page.dots.append(dots)
    logs = [run.log for row in results.rows for run in row.runs]
    for key in curve_keys(logs):
        for title, panel in page.layout.panels.items():
            if bands := _bands(panel, key):
                palette = page.layout.palette
                words = _TITLES.get(key, key)
                head, y_label = (title, words) if title else (words, '')
                figure = band_plot(bands, head, _X_LABEL, palette, y_label)
                page.curves.setdefault(key, []).append(figure)
                page.curve_lines |= {name: palette.css_index(name) for name in bands}
    return page


def _findings(results: Results) -> list[str]:
    """Say which variants differ from the reference in the first metric."""
    if not results.num_task_columns:
        return []
    column, name = results.columns[0], results.ablation.reference
    compared = [row for row in results.rows if column.key in row.differences]
    sure = [row for row in compared if row.differences[column.key].significant]
    sentences = [
        f'{row.variant.name}: {format_difference(row.differences[column.key])[:-1]} '
        f'{column.title} against {name}.'
        for row in sorted(sure, key=lambda row: -row.differences[column.key].mean)
    ]
    if len(sentences) > _MOST_FINDINGS:
        ups = sum(row.differences[column.key].mean > 0 for row in sure)
        sentences = [
            f'{ups} of {len(compared)} variants lie above {name} in {column.title} and '
            f'{len(sure) - ups} below, beyond seed noise at the 95 % level.'
        ]
    if rest := len(compared) - len(sure):
        sentences.append(
            f'{rest} of {len(compared)} variants lie within seed noise of {name} '
            f'({column.title}, 95 % level).'
        )
    return sentences


def _add_factor(
    page: Page, results: Results, factor: str, columns: Sequence[Column]
) -> None:
    lines = factor_series(results, factor)
    if not lines:
        return
    palette = page.layout.palette if len(lines) > 1 else Palette(list(lines))
    page.factor_lines |= {name: palette.css_index(name) for name in lines if name}
    for column in columns:
        points = {
            name: [
                (level, list(values.values()))
                for level, row in line
                if (values := _finite(row.by_seed(column.key)))
            ]
            for name, line in lines.items()
        }
        if any(points.values()):
            drawn = {name: line for name, line in points.items() if line}
            page.factors.append(factor_plot(drawn, column.title, factor, palette))


def _dots(layout: Layout, results: Results, column: Column) -> str:
    if len(results.ablation.factors) > 1:
        groups = {
            title: {
                name: list(values.values())
                for name, row in panel.items()
                if (values := _finite(row.by_seed(column.key)))
            }
            for title, panel in layout.panels.items()
        }
        groups = {title: group for title, group in groups.items() if group}
        return grouped_dots(groups, column.title, layout.palette) if groups else ''
    found = {row.variant.name: _finite(row.by_seed(column.key)) for row in results.rows}
    drawn = {name: list(seeds.values()) for name, seeds in found.items() if seeds}
    return seed_dots(drawn, column.title, layout.palette) if drawn else ''


def _bands(panel: Mapping[str, Row], key: str) -> Bands:
    bands = {}
    for name, row in panel.items():
        curves = [found for run in row.runs if (found := curve(run.log, key))]
        shared = sorted(set.intersection(*map(set, curves))) if curves else []
        if len(shared) > 1:
            bands[name] = (shared, [[found[x] for x in shared] for found in curves])
    return bands


def _finite(values: Mapping[int, float]) -> dict[int, float]:
    return {seed: value for seed, value in values.items() if math.isfinite(value)}
