"""Which variants share a figure, and which of them share a colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from msbreg_mm.ablation.expand import name_levels
from msbreg_mm.ablation.results import Results, VariantRow
from msbreg_mm.reports.plots import Palette

# Colours of the page, one of them grey for the reference.
_MOST_SERIES = 8


@dataclass(frozen=True)
class Layout:
    """Panels of series.

    Attributes:
        panels: Title of the panel → name of the series → its row.
        palette: Colours of the series.
    """

    panels: Mapping[str, Mapping[str, VariantRow]]
    palette: Palette

    @property
    def series(self) -> list[str]:
        """Names of all series, in order."""
        return list(
            dict.fromkeys(name for panel in self.panels.values() for name in panel)
        )


def make_layout(results: Results) -> Layout:
    """Give the last of several factors the colours and the others the panels.

    Without several factors each variant has a colour; more variants than colours
    are spread over panels, each with the reference.

    Args:
        results: Rows with levels.
    """
    factors = results.ablation.factors
    if len(factors) > 1:
        last = factors[-1]
        levels = [str(row.variant.levels[last]) for row in _grid(results)]
        if len(set(levels)) <= _MOST_SERIES:
            return _by_factor(results, last)
    return _by_variant(results)


def factor_series(
    results: Results, factor: str
) -> dict[str, list[tuple[float, VariantRow]]]:
    """Lines of rows along a numeric factor; one line per level of the others.

    Args:
        results: Rows with levels.
        factor: Name of the factor.

    Returns:
        Name of the line → ``(level, row)`` by rising level; empty if the factor is
        not numeric, has one level, or there are more lines than colours.
    """
    rows = _grid(results)
    values = {row.variant.levels[factor] for row in rows}
    numeric = all(
        isinstance(value, (int, float)) and not isinstance(value, bool)
        for value in values
    )
    if not numeric or len(values) < 2:
        return {}
    lines: dict[str, list[tuple[float, VariantRow]]] = {}
    for row in rows:
        others = {k: v for k, v in row.variant.levels.items() if k != factor}
        lines.setdefault(_line(others), []).append(
            (float(row.variant.levels[factor]), row)
        )
    if len(lines) > _MOST_SERIES:
        return {}
    return {name: sorted(line, key=lambda p: p[0]) for name, line in lines.items()}


def _line(others: Mapping[str, object]) -> str:
    """Name a line as the colours of a layout are named, where one factor is left."""
    if len(others) == 1:
        return ', '.join(map(str, others.values()))
    return name_levels(others)


def log_axis(values: Sequence[float]) -> bool:
    """Whether positive values span so much that a logarithmic axis is better."""
    positive = [value for value in values if value > 0]
    return (
        len(positive) > 1
        and min(values) >= 0
        and log10(max(positive) / min(positive)) >= 0.9
    )


def _grid(results: Results) -> list[VariantRow]:
    return [row for row in results.rows if row.variant.levels]


def _by_factor(results: Results, last: str) -> Layout:
    panels: dict[str, dict[str, VariantRow]] = {}
    for row in _grid(results):
        others = {k: v for k, v in row.variant.levels.items() if k != last}
        panel = panels.setdefault(name_levels(others), {})
        panel[str(row.variant.levels[last])] = row
    for row in results.rows:
        if not row.variant.levels:
            panels[row.variant.name] = {row.variant.name: row}
    grey = [row.variant.name for row in results.rows if not row.variant.levels]
    if results.has_one_reference:
        one = next(row for row in results.rows if _is_reference(results, row))
        if one.variant.levels:
            grey.append(str(one.variant.levels[last]))
    elif results.ablation.reference:
        grey.append(results.ablation.reference)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    return Layout(panels, Palette(names, grey))


def _by_variant(results: Results) -> Layout:
    reference = next((row for row in results.rows if _is_reference(results, row)), None)
    others = [row for row in results.rows if row is not reference]
    room = _MOST_SERIES - 1
    chunks = [others[i : i + room] for i in range(0, len(others), room)] or [[]]
    panels = {}
    for index, chunk in enumerate(chunks):
        rows = [reference, *chunk] if reference is not None else chunk
        title = f'{index + 1} of {len(chunks)}' if len(chunks) > 1 else ''
        panels[title] = {row.variant.name: row for row in rows}
    grey = [reference.variant.name] if reference is not None else []
    return Layout(panels, Palette([row.variant.name for row in results.rows], grey))


def _is_reference(results: Results, row: VariantRow) -> bool:
    return row.variant.name == results.ablation.reference
