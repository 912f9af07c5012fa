"""MSBReg's loss terms as an addition to another method's loss."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.models.losses import at_least_float32, check_finite
from msbreg_mm.registry import MODELS


@MODELS.register_module()
class EmbeddingRegularizer(BaseModule):
    """Weighted terms on L2-normalised embeddings; a term of weight 0 is not run.

    Embeddings are normalised in float32 as in
    :class:`msbreg_mm.models.heads.MSBRegHead`. They pass through the identity
    ``embeddings``, whose output (K, N, D) a monitor reads with a forward hook,
    also when no term is on. A weight may change while training (a hook sets
    ``loss_weight``). Without a term that is on nothing is recorded for the
    backward pass and no random number is drawn.

    Args:
        singular_value: Config of a loss on the online embeddings, or None.
        brownian: Config of a loss on the online embeddings, or None.
        centroid: Config of a loss between online and target embeddings, or None.
        init_cfg: Initialization config of mmengine.
    """

    def __init__(
        self,
        singular_value: dict | None = None,
        brownian: dict | None = None,
        centroid: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        configs = {
            'centroid': centroid,
            'singular_value': singular_value,
            'brownian': brownian,
        }
        for name, cfg in configs.items():
            # mmpretrain's registry finds our losses by their scope.
            term = None if cfg is None else MMPRETRAIN_MODELS.build(cfg)
            self.add_module(name, term)
        self.embeddings = nn.Identity()

    def active_terms(self) -> list[str]:
        """Return the names of the terms whose weight is not 0."""
        return [
            name
            for name, term in self.named_children()
            if name != 'embeddings' and getattr(term, 'loss_weight', 1) != 0
        ]

    def loss(self, online: Tensor, target: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the weighted terms that are on.

        Args:
            online: Online embeddings (K, N, D), not normalised.
            target: Target embeddings (K', N, D) for the centroid term, not
                normalised; the online ones by default. No gradient flows into
                them.

        Returns:
            ``loss_centroid``, ``loss_singular_value`` and ``loss_brownian``,
            scalars over the images of all ranks; a term that is off has no key.

        Raises:
            FloatingPointError: If a term is not finite.
        """
        names = self.active_terms()
        if not names:
            online = online.detach()
        with torch.autocast(online.device.type, enabled=False):
            z = self.embeddings(_normalize(online))
            losses = {}
            for name in names:
                tensors = [z]
                if name == 'centroid':
                    tensors.append(z if target is None else _normalize(target))
                losses[f'loss_{name}'] = getattr(self, name)(*tensors)
        if losses:
            check_finite(losses, online=online)
        return losses


def _normalize(embeddings: Tensor) -> Tensor:
    return F.normalize(at_least_float32(embeddings), dim=-1)
