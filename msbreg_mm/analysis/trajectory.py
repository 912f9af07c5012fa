"""Embeddings of a few fixed images through a training run."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msbreg_mm.engine.atomic_backend import AtomicLocalBackend
from msbreg_mm.transfer.scalars import find_scalars

FILE = 'trajectory.npz'
_CHECKPOINT = re.compile(r'epoch_(\d+)\.pth')


@dataclass(frozen=True)
class Trajectory:
    """Where embeddings were at several times.

    Attributes:
        embeddings: Unit vectors (T, K, N, D) of K views of N images, float32.
        times: (T,) ascending; 0 is the initial network.
        unit: ``'epoch'`` or ``'iteration'``.
        labels: Class of each image (N,), -1 where there is none.
    """

    embeddings: np.ndarray
    times: np.ndarray
    unit: str
    labels: np.ndarray

    def save(self, path: str | Path) -> None:
        """Write a ``.npz`` file, whole or not at all."""
        buffer = io.BytesIO()
        np.savez(buffer, **vars(self))
        AtomicLocalBackend().put(buffer.getvalue(), Path(path))

    def until(self, time: float) -> 'Trajectory':
        """Return the part up to a time."""
        kept = self.times <= time
        return Trajectory(
            self.embeddings[kept], self.times[kept], self.unit, self.labels
        )


def load_trajectory(path: str | Path) -> Trajectory:
    """Read what :meth:`Trajectory.save` wrote.

    Args:
        path: ``.npz`` file.

    Raises:
        ValueError: If it is damaged or no trajectory.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content}
        arrays['unit'] = str(arrays['unit'])
        trajectory = Trajectory(**arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ValueError(f'{path} is no trajectory: {error}') from error
    if trajectory.embeddings.ndim != 4 or len(trajectory.embeddings) != len(
        trajectory.times
    ):
        raise ValueError(
            f'{path} is no trajectory: embeddings have shape '
            f'{trajectory.embeddings.shape} for {len(trajectory.times)} times'
        )
    return trajectory


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
        FileNotFoundError: If there are no two checkpoints, or no config.
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
    configs = [file.with_name('config.py') for file in find_scalars(run_dir)]
    if len(found) < 2 or not configs or not configs[-1].is_file():
        raise FileNotFoundError(
            f'{run_dir} has no {FILE} and {len(found)} checkpoints epoch_*.pth, at '
            'least 2 and vis_data/config.py of the run are needed; train with '
            'msbreg_mm.TrajectoryHook, or with '
            'default_hooks.checkpoint.max_keep_ckpts=-1'
        )
    return _from_checkpoints(
        configs[-1], dict(sorted(found.items())), num_images, num_views, seed
    )


def stack_views(network: torch.nn.Module, views: Sequence[Tensor]) -> np.ndarray:
    """Embed views of the same images.

    Args:
        network: See :func:`msbreg_mm.analysis.embed.embed`.
        views: K tensors (N, 3, h, w) uint8.

    Returns:
        Unit vectors (K, N, D) float32.
    """
    from msbreg_mm.analysis.embed import embed

    return torch.stack([embed(network, view) for view in views]).numpy()


def _from_checkpoints(
    config: Path, files: dict[int, Path], num_images: int, num_views: int, seed: int
) -> Trajectory:
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from msbreg_mm.analysis.embed import build_embedder
    from msbreg_mm.analysis.images import sample_images
    from msbreg_mm.utils.upstream import import_scope

    cfg: Any = Config.fromfile(config)
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
