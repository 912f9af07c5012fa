"""Everything that is measured of one checkpoint's embeddings."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msbreg_mm.analysis.maps import make_map
from msbreg_mm.analysis.neighbours import nearest_neighbours, neighbour_agreement
from msbreg_mm.evaluation.geometry import (
    alignment,
    per_dimension_std,
    singular_values,
    summarize,
)
from msbreg_mm.utils.errors import OptionError


@dataclass
class Analysis:
    """What is known about one checkpoint's embeddings.

    Attributes:
        name: Of the checkpoint.
        measures: Single numbers, see docs/embeddings.md.
        spectrum: Singular values, descending.
        std: Standard deviation of each dimension, descending.
        neighbours: Nearest images of each query, (Q, k).
        maps: Kind → (N, 2).
        report: What the checkpoint gave to the network.
        notes: What a reader must know.
    """

    name: str
    measures: dict[str, float]
    spectrum: np.ndarray
    std: np.ndarray
    neighbours: np.ndarray
    maps: dict[str, np.ndarray]
    report: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def analyse(
    name: str,
    embeddings: Tensor,
    views: Tensor | None = None,
    labels: np.ndarray | None = None,
    *,
    queries: list[int],
    k: int = 6,
    maps: tuple[str, ...] = ('pca',),
    seed: int = 0,
) -> Analysis:
    """Measure embeddings of one checkpoint.

    Args:
        name: Of the checkpoint, for messages.
        embeddings: Unit vectors (N, D), N at least 2.
        views: Unit vectors (K, N, D) of augmented views; None, or K below 2, gives
            no alignment.
        labels: Classes (N,), or None.
        queries: Rows whose neighbours are listed.
        k: Number of neighbours; fewer where there are fewer other images.
        maps: Kinds of :func:`~msbreg_mm.analysis.maps.make_map`.
        seed: Seed of UMAP.

    Raises:
        OptionError: If an embedding is not finite; the message names the checkpoint.
    """
    if not bool(embeddings.isfinite().all()):
        raise OptionError(
            f'{name}: embeddings hold NaN or infinity: the checkpoint is broken, or '
            'its training diverged'
        )
    k, notes = min(k, len(embeddings) - 1), []
    measures = summarize(embeddings)
    measures['mean_length'] = float(embeddings.double().mean(dim=0).norm())
    if views is not None and len(views) > 1:
        measures['alignment'] = alignment(views)
    if labels is not None:
        measures['neighbour_agreement'] = neighbour_agreement(embeddings, labels, k)
    if zeros := int((embeddings.norm(dim=1) == 0).sum()):
        notes.append(f'{zeros} of {len(embeddings)} embeddings are zero vectors')
    return Analysis(
        name=name,
        measures=measures,
        spectrum=singular_values(embeddings).numpy(),
        std=per_dimension_std(embeddings).sort(descending=True).values.numpy(),
        neighbours=nearest_neighbours(embeddings, queries, k),
        maps={kind: make_map(kind, embeddings.numpy(), seed) for kind in maps},
        notes=notes,
    )


def chance_agreement(labels: np.ndarray) -> float:
    """Neighbour agreement of embeddings that know nothing, in percent.

    Args:
        labels: Classes (N,), N at least 2.

    Returns:
        Mean over images of the share of their class among the other images.
    """
    counts = torch.bincount(torch.from_numpy(labels)).double()
    pairs = (counts * (counts - 1)).sum()
    return float(pairs / (len(labels) * (len(labels) - 1)) * 100)
