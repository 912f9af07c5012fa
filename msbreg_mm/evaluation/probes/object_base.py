"""What an object probe is."""

from abc import ABC, abstractmethod
from typing import ClassVar

from msbreg_mm.evaluation.object_images import ObjectImage


class ObjectProbe(ABC):
    """Scores frozen maps of images with boxes, which it sees one at a time.

    :class:`msbreg_mm.engine.object_probe_loop.ObjectProbeLoop` calls :meth:`begin`,
    :meth:`see` for each image and :meth:`end`, for the training set if
    :attr:`fits`, and then for the validation set.
    """

    #: Prefix of the metrics.
    name: ClassVar[str]
    #: Whether the metrics depend on the seed.
    draws: ClassVar[bool] = True
    #: Whether the training set is needed.
    fits: ClassVar[bool] = False
    #: Which features are needed: ``'map'`` or ``'key'``.
    facet: str = 'map'

    @abstractmethod
    def begin(
        self, split: str, boxes: int, classes: tuple[str, ...], seed: int
    ) -> None:
        """Start with a set of images.

        Args:
            split: ``'train'`` or ``'val'``.
            boxes: Number of boxes in it.
            classes: Names of the classes.
            seed: Seed of everything random.
        """

    @abstractmethod
    def see(self, image: ObjectImage) -> None:
        """Take what is needed of an image."""

    @abstractmethod
    def end(self) -> dict[str, float]:
        """Fit, or return the metrics by ``'<name>/<metric>'``."""
