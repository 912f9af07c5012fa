"""Embeddings of a few fixed images through a training run."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msbreg_mm.evaluation.embedding import embed
from msbreg_mm.utils.errors import DataError
from msbreg_mm.utils.files import write_bytes

FILE = 'trajectory.npz'


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
        write_bytes(path, buffer.getvalue())

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
        DataError: If it is damaged or no trajectory.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content}
        arrays['unit'] = str(arrays['unit'])
        trajectory = Trajectory(**arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f'{path} is no trajectory: {error}') from error
    if trajectory.embeddings.ndim != 4 or len(trajectory.embeddings) != len(
        trajectory.times
    ):
        raise DataError(
            f'{path} is no trajectory: embeddings have shape '
            f'{trajectory.embeddings.shape} for {len(trajectory.times)} times'
        )
    return trajectory


def stack_views(network: torch.nn.Module, views: Sequence[Tensor]) -> np.ndarray:
    """Embed views of the same images.

    Args:
        network: See :func:`msbreg_mm.evaluation.embedding.embed`.
        views: K tensors (N, 3, h, w) uint8.

    Returns:
        Unit vectors (K, N, D) float32.
    """
    return torch.stack([embed(network, view) for view in views]).numpy()
