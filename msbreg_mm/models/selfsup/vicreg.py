"""VICReg, which mmpretrain does not have."""

from collections.abc import Sequence

from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor

from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError


@MODELS.register_module()
class VICReg(BaseSelfSupervisor):
    """Variance-invariance-covariance regularisation of a joint embedding.

    Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization
    for Self-Supervised Learning", ICLR 2022, arXiv 2105.04906. Each view goes
    through ``backbone`` and ``neck`` (the expander) by itself, so that batch
    normalisation sees one view, as in the authors' code; ``head`` is
    :class:`msbreg_mm.models.heads.VICRegHead`. Two views are the paper's; more
    are this project's extension (invariance over all pairs).
    """

    def loss(
        self, inputs: Sequence[Tensor], data_samples: list[DataSample], **kwargs: object
    ) -> dict[str, Tensor]:
        """Compute the loss terms of one batch.

        Args:
            inputs: K ≥ 2 views, each (N, 3, H_k, W_k), normalised.
            data_samples: Unused; self-supervision needs no annotation.
            kwargs: Unused, as in mmpretrain's algorithms.

        Returns:
            The head's loss terms, scalars.

        Raises:
            OptionError: If there are fewer than 2 views.
        """
        if isinstance(inputs, Tensor) or len(inputs) < 2:
            got = 1 if isinstance(inputs, Tensor) else len(inputs)
            raise OptionError(
                f'VICReg needs a list of at least 2 views, got {got}; set num_views '
                'of the pipeline'
            )
        return self.head.loss([self.neck(self.backbone(view))[0] for view in inputs])
