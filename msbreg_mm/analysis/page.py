"""The page, the JSON file and the figures of an analysis."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msbreg_mm.analysis.figures import class_colours, map_figure
from msbreg_mm.analysis.maps import TITLES
from msbreg_mm.analysis.measure import Analysis
from msbreg_mm.analysis.neighbours import draw_neighbours
from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.datasets.sample import ImageSample
from msbreg_mm.reports.figure_files import save_figure
from msbreg_mm.reports.pages import render
from msbreg_mm.reports.plots import Palette, Panel, line_plot, spectrum_plot
from msbreg_mm.utils.files import write_bytes, write_json, write_text

PAGE, JSON = 'analysis.html', 'analysis.json'


@dataclass(frozen=True)
class Measure:
    """How a measure is shown.

    Attributes:
        title: Column title.
        format: Printf format.
        meaning: One line, with the range.
    """

    title: str
    format: str
    meaning: str


MEASURES = {
    'effective_rank': Measure(
        'effective rank', '%.1f', 'dimensions in use, 1 to min(N, D) (RankMe)'
    ),
    'participation_ratio': Measure(
        'participation ratio', '%.1f', 'the same from squares, 1 to min(N, D)'
    ),
    'largest_share': Measure(
        'largest share', '%.3f', 'of the largest singular value in their sum, to 1'
    ),
    'mean_length': Measure(
        'mean length', '%.3f', 'of the mean embedding: 0 balanced, 1 all one point'
    ),
    'std': Measure(
        'std', '%.4f', 'per dimension, at most 1/√D when spread evenly, 0 collapsed'
    ),
    'uniformity': Measure(
        'uniformity', '%.3f', 'at most 0 (one point); lower is more uniform'
    ),
    'alignment': Measure(
        'alignment', '%.3f', 'squared distance of two views, 0 to 4; 0 is aligned'
    ),
    'neighbour_agreement': Measure(
        'neighbours, %', '%.1f', 'of the nearest images that have the same class'
    ),
}
ABOUT = {
    'pca': 'The two directions of largest variance.',
    'umap': (
        'Neighbourhoods are kept; distances between groups and their densities mean '
        'nothing.'
    ),
}
LAYERS = {'backbone': 'pooled backbone features', 'neck': 'projector outputs'}


def write_analysis(
    out: Path,
    result: dict[str, Any],
    analyses: Sequence[Analysis],
    sample: ImageSample,
    queries: list[int],
) -> Path:
    """Write ``analysis.json``, ``analysis.html`` and ``figures/``.

    Args:
        out: Folder.
        result: Content of the JSON file.
        analyses: One per checkpoint.
        sample: The images.
        queries: Rows whose neighbours are shown.

    Returns:
        The page.
    """
    names = [item.name for item in analyses]
    baselines = [
        name for name, item in result['checkpoints'].items() if item['path'] == RANDOM
    ]
    palette, folder = Palette(names, baselines), out / 'figures'
    colours = class_colours(sample)
    spectra = _spectra(analyses, palette)
    for name, panel in spectra.items():
        save_figure(panel.svg(), folder / f'{name}.svg')
    kinds = list(analyses[0].maps)
    for kind in kinds:
        together = {item.name: item.maps[kind] for item in analyses}
        svg = map_figure(together, sample, colours, legend=True)
        save_figure(svg, folder / f'map_{kind}.svg')
    pictures = {}
    for item in analyses:
        picture = draw_neighbours(sample, queries, item.neighbours)
        file = folder / f'neighbours_{item.name}.webp'
        write_bytes(file, picture)
        encoded = base64.b64encode(picture).decode()
        pictures[item.name] = f'data:image/webp;base64,{encoded}'
    write_json(out / JSON, result)
    page = render(
        'msbreg_mm.analysis',
        'analysis.html.j2',
        result=result,
        names=names,
        palette=palette,
        layer=LAYERS[result['layer']],
        measures=MEASURES,
        shown=[key for key in MEASURES if any(key in a.measures for a in analyses)],
        spectra=list(spectra.values()),
        maps={
            kind: {
                a.name: map_figure({'': a.maps[kind]}, sample, colours)
                for a in analyses
            }
            for kind in kinds
        },
        titles=TITLES,
        about=ABOUT,
        classes={sample.class_name(label): c for label, c in colours.items()},
        greyed=_count_classes(sample) - len(colours),
        labelled=sample.labels is not None,
        pictures=pictures,
    )  # fmt: skip
    write_text(out / PAGE, page)
    return out / PAGE


def _spectra(analyses: Sequence[Analysis], palette: Palette) -> dict[str, Panel]:
    stds: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
        item.name: (list(range(1, len(item.std) + 1)), item.std.tolist())
        for item in analyses
    }
    return {
        'spectrum': spectrum_plot(
            {item.name: item.spectrum.tolist() for item in analyses}, palette
        ),
        'std': line_plot(
            stds, 'Standard deviation per dimension, sorted', 'dimension', palette
        ),
    }


def _count_classes(sample: ImageSample) -> int:
    return 0 if sample.labels is None else len(np.unique(sample.labels))
