"""Embeddings of a few fixed images through a training run."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from msbreg_mm.evaluation.trajectory import (
    FILE,
    Trajectory,
    load_trajectory,
    stack_views,
)
from msbreg_mm.runs.run_config import read_run_config, registered_only
from msbreg_mm.utils.errors import MissingInputError

_CHECKPOINT = re.compile(r'epoch_(\d+)\.pth')


def read_run(
    run_dir: str | Path, num_images: int = 10, num_views: int = 4, seed: int = 0
) -> Trajectory:
    """Read how embeddings moved in a finished or running pretraining.

    Args:
        run_dir: Its work directory. ``trajectory.npz`` of
            :class:`~msbreg_mm.engine.hooks.TrajectoryHook` is taken if it is there
            (the other arguments are then of no use); else the checkpoints
            ``epoch_*.pth`` that were kept, without the initial network.
        num_images: Images, evenly spaced over the training set.
        num_views: Augmented views of each, of the run's own pipeline.
        seed: Seed of the views.

    Raises:
        MissingInputError: If there are no two checkpoints, or no config.
        CheckpointError: If a checkpoint is damaged or unsafe.
    """
    run_dir = Path(run_dir)
    if (run_dir / FILE).is_file():
        return load_trajectory(run_dir / FILE)
    found = {
        int(match[1]): file
        for file in run_dir.glob('epoch_*.pth')
        if (match := _CHECKPOINT.fullmatch(file.name))
    }
    if len(found) < 2:
        raise MissingInputError(
            f'{run_dir} has no {FILE} and {len(found)} checkpoints epoch_*.pth, at '
            'least 2 are needed; train with '
            'msbreg_mm.TrajectoryHook, or with '
            'default_hooks.checkpoint.max_keep_ckpts=-1'
        )
    cfg = read_run_config(run_dir)
    with registered_only():
        return _from_checkpoints(
            cfg, dict(sorted(found.items())), num_images, num_views, seed
        )


def _from_checkpoints(
    cfg: Any, files: dict[int, Path], num_images: int, num_views: int, seed: int
) -> Trajectory:
    from mmengine.registry import init_default_scope

    from msbreg_mm.datasets.sample import sample_images
    from msbreg_mm.evaluation.embedding import build_embedder
    from msbreg_mm.utils.upstream import import_scope

    scope = cfg.get('default_scope') or 'mmpretrain'
    import_scope(scope)
    init_default_scope(scope)
    sample = sample_images(cfg, 'train', num_images, num_views, seed)
    embeddings = []
    for file in files.values():
        network, _ = build_embedder(cfg, str(file), 'neck')
        embeddings.append(stack_views(network, sample.views or [sample.images]))
    labels = np.full(len(sample), -1) if sample.labels is None else sample.labels
    return Trajectory(np.stack(embeddings), np.array(list(files)), 'epoch', labels)
