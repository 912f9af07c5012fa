"""Singular values of a pretraining checkpoint's embeddings."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from msbreg_mm.runs.folder import find_resumable
from msbreg_mm.runs.run_config import read_run_config, registered_only
from msbreg_mm.utils.errors import MissingInputError, OptionError
from msbreg_mm.utils.files import read_json, write_json
from msbreg_mm.utils.typed import SchemaError, from_data
from msbreg_mm.utils.upstream import import_scope

CACHE = 'spectrum.json'


@dataclass(frozen=True)
class Spectrum:
    """Geometry of a set of embeddings.

    Attributes:
        values: Singular values, descending, divided by the largest.
        effective_rank: Exponential of the entropy of the singular values.
        dimensions: Width of the embeddings.
        images: Number of images.
    """

    values: list[float]
    effective_rank: float
    dimensions: int
    images: int


def read_spectrum(work_dir: Path, images: int = 512) -> Spectrum:
    """Compute, once, the spectrum of a pretraining run's last checkpoint.

    The embeddings are those of the backbone and the neck for the first augmented
    view of training images, L2-normalised, in evaluation mode.

    Args:
        work_dir: Work directory of the pretraining run.
        images: At most so many images.

    Returns:
        The spectrum; it is kept in ``spectrum.json`` of the folder.

    Raises:
        MissingInputError: If there is no checkpoint or no config of the run.
        OptionError: If the model has no backbone and neck.
        CheckpointError: If the checkpoint does not fit.
    """
    from msbreg_mm.checkpoints import verify_resumable

    checkpoint = find_resumable(work_dir)
    if checkpoint is None:
        raise MissingInputError(f'{work_dir} has no checkpoint of a run')
    of = [checkpoint.name, checkpoint.stat().st_mtime_ns, images]
    cached = read_json(work_dir / CACHE)
    if cached and cached.get('of') == of:
        with suppress(SchemaError):  # then it is computed again
            return from_data(Spectrum, cached.get('spectrum'), CACHE)
    cfg = read_run_config(work_dir)
    verify_resumable(checkpoint)
    with registered_only():
        spectrum = _compute(cfg, checkpoint, images)
    write_json(work_dir / CACHE, {'of': of, 'spectrum': vars(spectrum)})
    return spectrum


def _compute(cfg: Config, checkpoint: Path, images: int) -> Spectrum:
    from mmengine.registry import init_default_scope

    from msbreg_mm.evaluation.geometry import singular_values, spectrum_measures

    import_scope(cfg.get('default_scope', 'mmpretrain'))
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    embeddings = _embed(cfg, checkpoint, images)
    values = singular_values(embeddings)
    return Spectrum(
        [float(value / values[0].clamp_min(1e-300)) for value in values],
        spectrum_measures(values)['effective_rank'],
        embeddings.shape[1],
        embeddings.shape[0],
    )


def _embed(cfg: Config, checkpoint: Path, images: int) -> Any:
    from mmengine.runner import Runner

    from msbreg_mm.evaluation.embedding import build_embedder, embed_batches

    if not (cfg.get('model') or {}).get('neck'):
        raise OptionError('the model has no backbone and neck to embed with')
    network, _ = build_embedder(cfg, str(checkpoint), 'neck')
    loader = cfg.train_dataloader.copy()
    loader.update(num_workers=0, persistent_workers=False, pin_memory=False)
    loader.update(batch_size=min(loader.get('batch_size', 64), images))
    loader.pop('prefetch_factor', None)
    return embed_batches(network, Runner.build_dataloader(loader, seed=0), images)
