"""What a probe is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch

from msbreg_mm.evaluation.features import FeatureSet


class Probe(ABC):
    """Scores frozen features: fitted on one set of them, scored on another.

    A probe is a thin adapter between a configuration and a pure function of
    :mod:`msbreg_mm.evaluation`. :class:`msbreg_mm.engine.probe_loop.ProbeLoop`
    checks both sets with :func:`msbreg_mm.evaluation.features.check_pair` first.
    """

    #: Prefix of the metrics.
    name: ClassVar[str]
    #: Whether the metrics depend on the seed.
    draws: ClassVar[bool] = True
    #: After a call: metric → whether each image was right, for accuracies; the
    #: report draws images anew from them.
    hits: Mapping[str, np.ndarray] = MappingProxyType({})

    @abstractmethod
    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Fit and score.

        Args:
            train: What the probe is fitted on.
            val: What it is scored on.
            seed: Seed of everything random.

        Returns:
            Metrics by ``'<name>/<metric>'``; accuracies in percent.
        """


def find_device(name: str) -> torch.device:
    """Return a device by name; ``'auto'`` is a GPU if there is one."""
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    return torch.device(name)
