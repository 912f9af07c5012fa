"""Head of MSBReg: normalisation, optional predictor and the three losses."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.models.losses import at_least_float32, check_finite
from msbreg_mm.registry import MODELS

# The choice of terms is the project's; their weights are the losses' defaults.
_CENTROID = {'type': 'msbreg_mm.MultiviewCentroidLoss'}
_SINGULAR_VALUE = {'type': 'msbreg_mm.SingularValueLoss'}
_BROWNIAN = {'type': 'msbreg_mm.BrownianDiffusiveLoss'}


@MODELS.register_module()
class MSBRegHead(BaseModule):
    """Sum of multiview centroid, singular value and Brownian diffusive losses.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552; the weights are this project's choice
    (``docs/method.md``). Projector outputs are L2-normalised in float32. The
    regularisers act on these embeddings; the centroid loss too, or, with a
    predictor, on the normalised prediction from the projector outputs.

    The normalised embeddings pass through two identity modules, so that a
    monitor reads them with ``register_forward_hook`` at the steps it wants:
    ``head.embeddings`` (online, (K, N, D)) and ``head.target_embeddings``
    (target, (K', N, D), without gradient).

    Args:
        centroid: Config of the loss between online and target embeddings, or
            None for none.
        singular_value: Config of a loss on the online embeddings, or None.
        brownian: Config of a loss on the online embeddings, or None.
        predictor: Config of an mmpretrain neck (``with_avg_pool=False``) that
            keeps the dimension, or None. All views go through it in one batch.
        init_cfg: Initialization config of mmengine.

    Raises:
        ValueError: If all terms are None, or there is a predictor that no
            centroid loss would train.
    """

    def __init__(
        self,
        centroid: dict | None = _CENTROID,
        singular_value: dict | None = _SINGULAR_VALUE,
        brownian: dict | None = _BROWNIAN,
        predictor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if centroid is None and singular_value is None and brownian is None:
            raise ValueError(
                'MSBRegHead has no loss: set centroid, singular_value or brownian'
            )
        if predictor is not None and centroid is None:
            raise ValueError(
                'the predictor of MSBRegHead only serves the centroid loss: set '
                'centroid, or predictor=None'
            )
        self.centroid = self._build(centroid)
        self.singular_value = self._build(singular_value)
        self.brownian = self._build(brownian)
        self.predictor = self._build(predictor)
        self.embeddings = nn.Identity()
        self.target_embeddings = nn.Identity()

    @staticmethod
    def _build(cfg: dict | None) -> nn.Module | None:
        # mmpretrain's registry finds its necks without a scope, whatever ours is.
        return None if cfg is None else MMPRETRAIN_MODELS.build(cfg)

    def loss(
        self, online: Tensor | Sequence[Tensor], target: Tensor | Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the weighted loss terms.

        Args:
            online: Projector outputs of the online network, not normalised,
                (K, N, D) or K tensors (N, D).
            target: Projector outputs of the target network, not normalised,
                (K', N, D) or K' tensors (N, D); no gradient flows into them.

        Returns:
            ``loss_centroid``, ``loss_singular_value`` and ``loss_brownian``,
            scalars over the images of all ranks; a term that is off has no key.

        Raises:
            ValueError: If the shapes do not fit.
            FloatingPointError: If a term is not finite; it names the term and
                the embeddings at fault.
        """
        online = _stack('online', online)
        target = _stack('target', target)
        z = self.embeddings(_normalize(online))
        t = self.target_embeddings(_normalize(target.detach()))
        losses = {}
        if self.centroid is not None:
            prediction = z
            if self.predictor is not None:
                (flat,) = self.predictor((online.flatten(0, 1),))
                prediction = _normalize(flat.unflatten(0, online.shape[:2]))
            losses['loss_centroid'] = self.centroid(prediction, t)
        if self.singular_value is not None:
            losses['loss_singular_value'] = self.singular_value(z)
        if self.brownian is not None:
            losses['loss_brownian'] = self.brownian(z)
        check_finite(losses, online=online, target=target)
        return losses


def _stack(name: str, embeddings: Tensor | Sequence[Tensor]) -> Tensor:
    if isinstance(embeddings, Tensor):
        return embeddings
    shapes = [tuple(view.shape) for view in embeddings]
    if len(set(shapes)) != 1:
        raise ValueError(
            f'{name} embeddings need at least one view, all of one shape, got {shapes}'
        )
    return torch.stack(tuple(embeddings))


def _normalize(embeddings: Tensor) -> Tensor:
    return F.normalize(at_least_float32(embeddings), dim=-1)
