"""Embed images and write the pages: what ``msbreg analyze`` and ``draw`` do."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from msbreg_mm.analysis.maps import available_maps
from msbreg_mm.analysis.measure import Analysis, analyse, chance_agreement
from msbreg_mm.analysis.neighbours import choose_queries
from msbreg_mm.analysis.page import MEASURES, write_analysis
from msbreg_mm.checkpoints.reference import CheckpointRef, parse_checkpoints
from msbreg_mm.datasets.sample import ImageSample, find_split, sample_images
from msbreg_mm.evaluation.embedding import build_embedder, embed
from msbreg_mm.runs.settings import hash_config
from msbreg_mm.utils.environment import device_name, versions
from msbreg_mm.utils.errors import OptionError

VERSION = 1


@dataclass(frozen=True)
class AnalysisOptions:
    """The flags of ``msbreg analyze``; see its ``--help``."""

    checkpoints: Sequence[str]
    config: str
    out: str = 'work_dirs/analysis'
    split: str | None = None
    layer: str = 'backbone'
    max_images: int = 1000
    views: int = 2
    queries: int = 8
    neighbours: int = 6
    maps: Sequence[str] | None = None
    seed: int = 0
    batch_size: int = 64
    device: str | None = None
    allow_partial: bool = False
    trust: bool = False
    cfg_options: Mapping[str, Any] = field(default_factory=dict)


def run_analysis(options: AnalysisOptions, console: Console | None = None) -> Path:
    """Embed one sample of images with every checkpoint and write the pages.

    Args:
        options: The command line.
        console: Where to print; standard output by default.

    Returns:
        The HTML page.

    Raises:
        FileNotFoundError: If config, data or a checkpoint is not there.
        OptionError: If an option is out of range or a checkpoint does not fit.
    """
    from msbreg_mm.runs.config import LaunchOptions, resolve_config
    from msbreg_mm.utils.upstream import import_scope

    console = console or Console()
    if not options.checkpoints:
        raise OptionError('give at least one checkpoint: a file, name=file or random')
    checkpoints = parse_checkpoints(options.checkpoints)
    cfg = resolve_config(LaunchOptions(options.config, cfg_options=options.cfg_options))
    import_scope(cfg.get('default_scope', ''))
    _enter_scope(cfg)
    split = find_split(cfg, options.split)
    sample = sample_images(cfg, split, options.max_images, options.views, options.seed)
    queries = choose_queries(options.queries, len(sample))
    analyses = []
    for checkpoint in checkpoints:
        analyses.append(_analyse(cfg, checkpoint, sample, queries, options))
        console.print(Text(f'{checkpoint.name}: {len(sample)} images embedded'))
    _print(analyses, console)
    result = {
        'version': VERSION,
        'date': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d'),
        'config': options.config,
        'config_hash': hash_config(cfg.to_dict(), [f'split={split}']),
        'layer': options.layer,
        'seed': options.seed,
        'device': device_name(),
        'versions': versions(),
        'data': _describe(sample, analyses),
        'checkpoints': {
            ref.name: _to_dict(ref, item)
            for ref, item in zip(checkpoints, analyses, strict=True)
        },
    }
    return write_analysis(Path(options.out), result, analyses, sample, queries)


def _enter_scope(cfg: Any) -> None:
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.get('default_scope') or 'mmpretrain')


def _analyse(
    cfg: Any,
    checkpoint: CheckpointRef,
    sample: ImageSample,
    queries: list[int],
    options: AnalysisOptions,
) -> Analysis:
    device = options.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    network, report = build_embedder(
        cfg,
        checkpoint.path,
        options.layer,
        seed=options.seed,
        allow_partial=options.allow_partial,
        trust=options.trust,
    )
    network.to(device)
    views = [embed(network, view, options.batch_size) for view in sample.views]
    analysis = analyse(
        checkpoint.name,
        embed(network, sample.images, options.batch_size),
        torch.stack(views) if views else None,
        sample.labels,
        queries=queries,
        k=options.neighbours,
        maps=available_maps() if options.maps is None else tuple(options.maps),
        seed=options.seed,
    )
    analysis.report = report
    if report.get('partial'):
        analysis.notes.append('partial checkpoint')
    return analysis


def _describe(sample: ImageSample, analyses: Sequence[Analysis]) -> dict[str, Any]:
    described: dict[str, Any] = {
        'name': sample.name,
        'images': len(sample),
        'image_size': list(sample.images.shape[-2:]),
        'views': len(sample.views),
        'dimensions': len(analyses[0].std),
        'indices': sample.indices,
    }
    if sample.labels is not None:
        described['labels'] = sample.labels.tolist()
        described['classes'] = list(sample.classes)
        described['chance_agreement'] = chance_agreement(sample.labels)
    return described


def _to_dict(ref: CheckpointRef, item: Analysis) -> dict[str, Any]:
    return {
        'path': ref.path,
        'sha256': ref.sha256,
        'match_report': {
            key: len(value) if isinstance(value, list) and key != 'notes' else value
            for key, value in item.report.items()
        },
        'measures': item.measures,
        'singular_values': item.spectrum.tolist(),
        'std_per_dimension': item.std.tolist(),
        'neighbours': item.neighbours.tolist(),
        'maps': {kind: points.tolist() for kind, points in item.maps.items()},
        'notes': item.notes,
    }


def _print(analyses: Sequence[Analysis], console: Console) -> None:
    table = Table(box=None, header_style='dim')
    table.add_column('measure')
    for item in analyses:
        table.add_column(item.name, justify='right')
    for key, measure in MEASURES.items():
        if key in analyses[0].measures:
            values = [measure.format % item.measures[key] for item in analyses]
            table.add_row(measure.title, *values)
    console.print(table)


def draw(out: str, run_dir: str | None = None, **options: Any) -> Path:
    """Draw embeddings as particles on the sphere.

    Args:
        out: ``.svg`` file.
        run_dir: Work directory of a pretraining run; free particles without one.
        options: Of ``draw_particles``, or images, views and seed of ``read_run``.

    Returns:
        The file.
    """
    if run_dir is None:
        from msbreg_mm.analysis.particle_figure import draw_particles

        return draw_particles(out, **options)
    from msbreg_mm.analysis.trajectory import read_run
    from msbreg_mm.analysis.trajectory_figure import draw_trajectory

    keys = {'images': 'num_images', 'views': 'num_views', 'seed': 'seed'}
    taken = {keys[name]: value for name, value in options.items() if name in keys}
    return draw_trajectory(read_run(run_dir, **taken), out)
