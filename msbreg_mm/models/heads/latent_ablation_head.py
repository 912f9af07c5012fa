"""What keeps BYOL and SimSiam from collapsing, each part with a switch."""

from typing import Any

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn

from msbreg_mm.registry import MODELS


@MODELS.register_module()
class NoNorm(nn.Identity):
    """Stands where a normalisation layer would: ``norm_cfg=dict(type=...)``.

    Args:
        args: Ignored, as the number of features is.
        kwargs: Ignored, as ``eps`` is.
    """

    # The name that mmcv gives to the layer.
    _abbr_ = 'no_norm'


@MODELS.register_module()
class LatentAblationHead(BaseModule):
    """mmpretrain's ``LatentPredictHead`` whose two safeguards can be switched off.

    With a predictor and a stopped gradient it computes what ``LatentPredictHead``
    does, under the same parameter names. Chen and He, "Exploring Simple Siamese
    Representation Learning", arXiv 2011.10566, section 4, study both switches.

    Args:
        loss: Config of the loss between prediction and target.
        predictor: Config of the predictor, or None to compare the projections
            themselves.
        stop_gradient: Whether the target is a constant. BYOL's target network has
            no gradient either way.
        init_cfg: Initialization config of mmengine.
    """

    def __init__(
        self,
        loss: dict,
        predictor: dict | None = None,
        stop_gradient: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.loss_module = MMPRETRAIN_MODELS.build(loss)
        self.predictor: Any = (
            None if predictor is None else MMPRETRAIN_MODELS.build(predictor)
        )
        self.stop_gradient = stop_gradient

    def loss(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            input: Online projections (N, D).
            target: Target projections (N, D).

        Returns:
            Scalar.
        """
        prediction = input if self.predictor is None else self.predictor([input])[0]
        return self.loss_module(
            prediction, target.detach() if self.stop_gradient else target
        )
