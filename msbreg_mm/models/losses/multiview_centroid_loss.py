"""Multiview centroid loss: views attracted to the centroid of the target's."""

from typing import ClassVar, Literal, get_args

from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.models.losses.embedding_loss import (
    EmbeddingLoss,
    check_embeddings,
    check_form,
)
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.dist import global_mean

CentroidForm = Literal['view', 'centroid']


def multiview_centroid_loss(
    online: Tensor, target: Tensor, form: CentroidForm = 'view'
) -> Tensor:
    r"""Distance of online embeddings to the centroid of the target's views.

    With :math:`c_i, c'_i` the means over views of the online and the target
    embeddings of image i:

    - ``'view'``: :math:`mean_{k,i} (2 - 2 <z_{ki}, c'_i / |c'_i|>)`, each view
      is drawn to the direction of the target centroid;
    - ``'centroid'``: :math:`mean_i |c_i - c'_i|^2`, only the centroids meet; the
      views may stay apart, as :math:`mean_k |z_k - c'|^2 = |c - c'|^2 +` the
      variance of the views.

    Args:
        online: Online embeddings z of unit length.
        target: Target embeddings t of unit length; no gradient flows into it.
        form: ``'view'`` or ``'centroid'``.

    Shape:
        online (K, N, D), target (K', N, D), K and K' at least 1.

    Returns:
        Scalar in [0, 4], over the images of all ranks.

    Raises:
        ValueError: If ``form`` is unknown or the shapes do not fit.
    """
    check_form('multiview_centroid_loss', form, get_args(CentroidForm))
    check_embeddings('online embeddings', online)
    check_embeddings('target embeddings', target)
    if online.shape[1:] != target.shape[1:]:
        raise ValueError(
            'online and target embeddings must agree in images and dimensions, got '
            f'(K, N, D) = {tuple(online.shape)} and {tuple(target.shape)}; a '
            "predictor must keep the projector's output size"
        )
    centroid = target.detach().mean(dim=0)
    if form == 'centroid':
        return global_mean((online.mean(dim=0) - centroid).square().sum(dim=-1))
    cosine = (online * F.normalize(centroid, dim=-1)).sum(dim=-1)
    return global_mean(2 - 2 * cosine)


@MODELS.register_module()
class MultiviewCentroidLoss(EmbeddingLoss):
    """Attract the views of an image to the centroid of the target network's.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552, describe the term in words; the two forms and
    the choice between them are this project's (``docs/method.md``). See
    :func:`multiview_centroid_loss` for formulas, shapes and range.

    Args:
        form: ``'view'`` or ``'centroid'``.
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: If ``form`` is unknown or ``loss_weight`` negative.

    Example:
        >>> loss = MultiviewCentroidLoss()
        >>> z = torch.nn.functional.normalize(torch.randn(4, 8, 16), dim=-1)
        >>> loss(z, z[:2])
    """

    reads: ClassVar[tuple[str, ...]] = ('prediction', 'target')

    def __init__(self, form: CentroidForm = 'view', loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        check_form('MultiviewCentroidLoss', form, get_args(CentroidForm))
        self.form: CentroidForm = form

    def forward(self, online: Tensor, target: Tensor) -> Tensor:
        """Return the weighted :func:`multiview_centroid_loss`."""
        return self.weighted(multiview_centroid_loss, online, target, form=self.form)
