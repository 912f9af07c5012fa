"""Probes of object discovery: LOST and TokenCut."""

from abc import abstractmethod

import numpy as np

from msbreg_mm.evaluation.discovery import (
    Region,
    check_edges,
    check_votes,
    is_located,
    lost,
    region_box,
    standardized,
    token_cut,
)
from msbreg_mm.evaluation.object_images import FACETS, ObjectImage
from msbreg_mm.evaluation.probes.object_base import ObjectProbe
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import DataError, OptionError


class DiscoveryProbe(ObjectProbe):
    """CorLoc: in how many images the one box found is one of the objects.

    Metrics: ``<name>/corloc`` in percent of the images with an object, and
    ``<name>/images``, how many those are.

    Args:
        facet: ``'key'``: keys of the last attention layer, for ViTs, as in both
            papers; ``'map'``: the last map.
        round_boxes: Round the true boxes to whole pixels, as LOST's code does.

    Raises:
        OptionError: If the facet is unknown.
    """

    draws = False

    def __init__(self, facet: str, round_boxes: bool) -> None:
        if facet not in FACETS:
            raise OptionError(f'facet is one of {FACETS}, got {facet!r}')
        self.facet, self.round_boxes = facet, round_boxes
        self.hits: list[bool] = []
        self.boxes: dict[str, np.ndarray] = {}

    @abstractmethod
    def find(self, image: ObjectImage) -> Region:
        """Find the object of an image."""

    def begin(
        self, split: str, boxes: int, classes: tuple[str, ...], seed: int
    ) -> None:
        """See :class:`ObjectProbe`; nothing is random."""
        self.hits, self.boxes = [], {}

    def see(self, image: ObjectImage) -> None:
        """Compare what is found with the objects; images without are left out."""
        if not len(image.boxes):
            return
        box = region_box(self.find(image), image.stride, image.size)
        truth = np.rint(image.boxes) if self.round_boxes else image.boxes
        self.hits.append(is_located(box, truth))
        self.boxes[image.path] = box

    def end(self) -> dict[str, float]:
        """Return CorLoc."""
        if not self.hits:
            raise DataError('no image has an object; CorLoc needs boxes')
        return {
            f'{self.name}/corloc': 100 * float(np.mean(self.hits)),
            f'{self.name}/images': float(len(self.hits)),
        }


@PROBES.register_module()
class LostProbe(DiscoveryProbe):
    """CorLoc of :func:`msbreg_mm.evaluation.discovery.lost`.

    Args:
        k_patches: Patches that may vote; the paper's.
        facet: See :class:`DiscoveryProbe`; maps are standardised, as LOST's code does
            for CNNs, whose layer4 it dilates to a stride of 16.
        round_boxes: See :class:`DiscoveryProbe`.
    """

    name = 'lost'

    def __init__(
        self, k_patches: int = 100, facet: str = 'key', round_boxes: bool = True
    ) -> None:
        super().__init__(facet, round_boxes)
        check_votes(k_patches)
        self.k_patches = k_patches

    def find(self, image: ObjectImage) -> Region:
        """See :class:`DiscoveryProbe`."""
        features = image.patches(self.facet)
        if self.facet == 'map':
            features = standardized(features)
        return lost(features, image.grid, self.k_patches)


@PROBES.register_module()
class TokenCutProbe(DiscoveryProbe):
    """CorLoc of :func:`msbreg_mm.evaluation.discovery.token_cut`.

    Args:
        tau: Least cosine of an edge; the paper's.
        eps: Weight of the other pairs; the paper's.
        facet: See :class:`DiscoveryProbe`. TokenCut's code has no CNN; maps are taken
            as they are, which is this project's choice.
        round_boxes: See :class:`DiscoveryProbe`.
    """

    name = 'token_cut'

    def __init__(
        self,
        tau: float = 0.2,
        eps: float = 1e-5,
        facet: str = 'key',
        round_boxes: bool = True,
    ) -> None:
        super().__init__(facet, round_boxes)
        check_edges(tau, eps)
        self.tau, self.eps = tau, eps

    def find(self, image: ObjectImage) -> Region:
        """See :class:`DiscoveryProbe`."""
        return token_cut(image.patches(self.facet), image.grid, self.tau, self.eps)
