"""Head of VICReg: the loss and a check that it is finite."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor

from msbreg_mm.models.losses import check_finite
from msbreg_mm.registry import MODELS


@MODELS.register_module()
class VICRegHead(BaseModule):
    """Apply a loss to the projector outputs of all views.

    Args:
        loss: Config of :class:`msbreg_mm.models.losses.VICRegLoss`, or of a loss
            that also maps embeddings (K, N, D) to a dict of scalars.
        init_cfg: Initialization config of mmengine.
    """

    def __init__(
        self, loss: dict | None = None, init_cfg: dict | list[dict] | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.loss_module = MMPRETRAIN_MODELS.build(
            loss or {'type': 'msbreg_mm.VICRegLoss'}
        )

    def loss(self, embeddings: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the loss terms.

        Args:
            embeddings: K projector outputs (N, D), not normalised.

        Returns:
            The terms of the loss, scalars.

        Raises:
            FloatingPointError: If a term is not finite.
        """
        stacked = torch.stack(tuple(embeddings))
        losses = self.loss_module(stacked)
        check_finite(losses, online=stacked)
        return losses
