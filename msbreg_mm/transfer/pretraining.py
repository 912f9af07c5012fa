"""The report's part about the pretraining runs: losses, geometry, spectrum."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.logging import print_log

from msbreg_mm.reports.plots import Lines, Palette, Panel, line_plot, spectrum_plot
from msbreg_mm.runs.log import read_log, train_curve
from msbreg_mm.transfer.spectrum import Spectrum, read_spectrum
from msbreg_mm.utils.errors import InputError

# Titles of what msbreg_mm.EmbeddingMonitorHook logs.
GEOMETRY = {
    'effective_rank': 'Effective rank',
    'largest_singular_value_share': 'Share of the largest singular value',
    'uniformity': 'Uniformity (lower is more uniform)',
    'alignment': 'Alignment (lower is more aligned)',
    'embedding_std': 'Standard deviation per dimension',
}
_MOST_POINTS = 300


@dataclass
class Pretraining:
    """Figures about the pretraining runs.

    Attributes:
        names: The runs, as the legend names them.
        losses: Figures of the loss terms.
        geometry: Figures of the embedding geometry.
        spectrum: Figure of the singular values; ``None`` if none could be made.
        ranks: Run → its final spectrum.
        notes: What could not be shown, and why.
    """

    names: list[str]
    losses: list[Panel] = field(default_factory=list)
    geometry: list[Panel] = field(default_factory=list)
    spectrum: Panel | None = None
    ranks: dict[str, Spectrum] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def describe_pretraining(
    folders: Mapping[str, Path], palette: Palette
) -> Pretraining | None:
    """Draw what pretraining runs logged and how their embeddings are spread.

    Args:
        folders: Name of the checkpoint → work directory of its pretraining.
        palette: Colours.

    Returns:
        The figures, or ``None`` without folders.
    """
    if not folders:
        return None
    result = Pretraining(list(folders))
    logs = {}
    for name, folder in folders.items():
        logs[name] = read_log(folder).train
        if not logs[name]:
            result.notes.append(f'{name}: no scalars.json in {folder}')
    for key in _loss_keys(logs.values()):
        lines = _lines(logs, key)
        title = 'Total loss' if key == 'loss' else _loss_title(key)
        result.losses.append(line_plot(lines, title, 'iteration', palette))
    for key, title in GEOMETRY.items():
        if lines := _lines(logs, key):
            result.geometry.append(line_plot(lines, title, 'iteration', palette))
    _add_spectra(result, folders, palette)
    return result


def _add_spectra(
    result: Pretraining, folders: Mapping[str, Path], palette: Palette
) -> None:
    for name, folder in folders.items():
        try:
            result.ranks[name] = read_spectrum(folder)
        except (InputError, OSError) as error:
            # The tables must not depend on a picture; the page says what is
            # missing.
            note = f'{name}: no spectrum: {error}'
            print_log(note, 'current', logging.WARNING)
            result.notes.append(note)
    if result.ranks:
        spectra = {name: found.values for name, found in result.ranks.items()}
        result.spectrum = spectrum_plot(spectra, palette)


def _lines(logs: Mapping[str, Sequence[dict]], key: str) -> Lines:
    found = {name: train_curve(lines, key) for name, lines in logs.items()}
    return {name: _thin(x, y) for name, (x, y) in found.items() if x}


def _thin(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    step = -(-len(x) // _MOST_POINTS)
    return x[::step], y[::step]


def _loss_keys(logs: Iterable[Sequence[dict]]) -> list[str]:
    keys = {key for lines in logs for line in lines for key in line if 'loss' in key}
    return sorted(keys, key=lambda key: (key != 'loss', key))


def _loss_title(key: str) -> str:
    words = key.replace('loss', '').replace('.', ' ').replace('_', ' ').split()
    return f'{" ".join(words).capitalize()} loss'
