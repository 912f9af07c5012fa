"""The geometry probe."""

import torch
from torch.nn import functional as F

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.geometry import summarize
from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import OptionError


@PROBES.register_module()
class GeometryProbe(Probe):
    """Geometry of the features of ``val``, without labels.

    See :func:`msbreg_mm.evaluation.geometry.summarize`. Metrics:
    ``geometry/effective_rank``, ``geometry/participation_ratio`` (both from 1 to
    min(N, D)), ``geometry/largest_share``, ``geometry/uniformity`` and
    ``geometry/std``.

    Args:
        normalize: Put the features on the unit sphere first, where uniformity is
            defined and kNN compares. RankMe (arXiv 2210.02885) takes the effective
            rank of the features as they are: ``False``.
        max_images: Most images, evenly spaced over the set, at least 2; it bounds
            the pairs of uniformity. This project's choice.

    Raises:
        OptionError: If there are fewer than two images or a feature is zero and
            cannot be normalised.
    """

    name = 'geometry'
    draws = False

    def __init__(self, normalize: bool = True, max_images: int = 10_000) -> None:
        if max_images < 2:
            raise OptionError(f'max_images must be at least 2, got {max_images}')
        self.normalize = normalize
        self.max_images = max_images

    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Measure; nothing is random. See :class:`Probe`."""
        if len(val) < 2:
            raise OptionError(
                f'{val.name}: geometry compares images and needs at least 2'
            )
        step = -(-len(val) // self.max_images)
        features = torch.from_numpy(val.features[::step].copy())
        if self.normalize:
            features = F.normalize(features, dim=-1)
        return {f'geometry/{key}': value for key, value in summarize(features).items()}
