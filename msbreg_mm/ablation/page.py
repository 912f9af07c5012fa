"""What the page of an ablation shows: sentences and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msbreg_mm.ablation.curves import EFFECTIVE_RANK, curve, curve_keys
from msbreg_mm.ablation.figures import factor_plot, grouped_dots
from msbreg_mm.ablation.layout import Layout, factor_series, make_layout
from msbreg_mm.ablation.results import TIME, Results, VariantRow
from msbreg_mm.reports.findings import findings
from msbreg_mm.reports.plots import Bands, Palette, Panel, band_plot, seed_dots
from msbreg_mm.runs.columns import Column

_TITLES = {
    EFFECTIVE_RANK: 'Effective rank of embeddings',
    'probe/knn_top1': 'Online kNN top-1 (%)',
    'probe/linear_top1': 'Online linear probe top-1 (%)',
    'probe/effective_rank': 'Effective rank of features (online)',
}
_X_LABEL = 'percent of the training'


@dataclass
class Page:
    """Figures and sentences of an ablation.

    Attributes:
        layout: Panels and colours.
        failures: What failed, and why.
        findings: How the variants compare, in words.
        factors: Figures of the metrics along numeric factors.
        factor_lines: Names and colours of the lines in them.
        dots: Figures of every seed.
        curves: Scalar of the training → its figures.
        curve_lines: Names and colours of the lines in them.
    """

    layout: Layout
    failures: list[tuple[str, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    factors: list[Panel] = field(default_factory=list)
    factor_lines: dict[str, int] = field(default_factory=dict)
    dots: list[Panel] = field(default_factory=list)
    curves: dict[str, list[Panel]] = field(default_factory=dict)
    curve_lines: dict[str, int] = field(default_factory=dict)

    @property
    def series_lines(self) -> dict[str, int]:
        """Names and colours of the series."""
        return self.layout.palette.legend(self.layout.series)

    def sheets(self) -> dict[str, tuple[list[Panel], dict[str, int]]]:
        """Return what each figure file shows: name → figures and their legend."""
        series = self.series_lines if len(self.layout.panels) > 1 else {}
        sheets = {
            'factors': (self.factors, self.factor_lines),
            'seeds': (self.dots, series),
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
    failures = [
        (f'{row.name}, seed {run.seed}', run.failure)
        for row in results.rows
        for run in row.failures
    ]
    page = Page(make_layout(results), failures, findings(results))
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
                if (values := row.by_seed(column.key))
            ]
            for name, line in lines.items()
        }
        if any(points.values()):
            drawn = {name: line for name, line in points.items() if line}
            page.factors.append(factor_plot(drawn, column.title, factor, palette))


def _dots(layout: Layout, results: Results, column: Column) -> Panel | None:
    if len(results.ablation.factors) > 1:
        groups = {
            title: {
                name: list(values.values())
                for name, row in panel.items()
                if (values := row.by_seed(column.key))
            }
            for title, panel in layout.panels.items()
        }
        groups = {title: group for title, group in groups.items() if group}
        return grouped_dots(groups, column.title, layout.palette) if groups else None
    drawn = {
        row.name: list(values.values())
        for row in results.rows
        if (values := row.by_seed(column.key))
    }
    return seed_dots(drawn, column.title, layout.palette) if drawn else None


def _bands(panel: Mapping[str, VariantRow], key: str) -> Bands:
    bands = {}
    for name, row in panel.items():
        curves = [found for run in row.runs if (found := curve(run.log, key))]
        shared = sorted(set.intersection(*map(set, curves))) if curves else []
        if len(shared) > 1:
            bands[name] = (shared, [[found[x] for x in shared] for found in curves])
    return bands
