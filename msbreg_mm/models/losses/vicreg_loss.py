"""VICReg: variance, invariance and covariance of embeddings."""

import math

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.models.losses.embedding_loss import at_least_float32, check_embeddings
from msbreg_mm.models.losses.singular_value_loss import _gram
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.dist import all_reduce_sum, global_count, global_mean
from msbreg_mm.utils.errors import OptionError

# Keeps the root's gradient finite; the value of the official code.
_EPSILON = 1e-4


def vicreg_terms(embeddings: Tensor) -> dict[str, Tensor]:
    r"""Compute VICReg's three terms, unweighted.

    With :math:`v_{kd}` the variance and :math:`C_k` the covariance (both over N - 1)
    of view k:

    - invariance: mean over pairs of views of their mean squared difference;
    - variance: :math:`mean_{kd} \max(0, 1 - \sqrt{v_{kd} + 10^{-4}})`;
    - covariance: :math:`2\, mean_k \sum_{d \ne e} C_{k,de}^2 / D`.

    For K = 2 these are the terms of the authors' code, whose variance term is
    half of the paper's equation 6. On several processes all moments are those of
    the concatenated batch.

    Args:
        embeddings: Projector outputs, not normalised.

    Shape:
        embeddings (K, N, D), K and N (over all ranks) at least 2.

    Returns:
        Scalars ``invariance``, ``variance`` and ``covariance``, each at least 0.

    Raises:
        ValueError: If the shape is wrong.
    """
    check_embeddings('embeddings', embeddings)
    num_views, num_images, num_dims = embeddings.shape
    if num_views < 2 or num_images * get_world_size() < 2:
        raise ValueError(
            'VICReg compares views and images and needs at least 2 of each, got '
            f'(K, N, D) = {tuple(embeddings.shape)}; set num_views of the pipeline '
            'or raise the batch size'
        )
    count = global_count(num_images, embeddings)
    # sum_{i<j} |z_i - z_j|^2 = K sum_k |z_k - c|^2, so no loop over pairs.
    invariance = 2 * global_mean(embeddings.var(dim=0))
    mean = all_reduce_sum(embeddings.sum(dim=1, keepdim=True)) / count
    centred = embeddings - mean
    variance = all_reduce_sum(centred.square().sum(dim=1)) / (count - 1)
    square_norm = (_gram(centred) / (count - 1)).square().sum(dim=(1, 2))
    off_diagonal = square_norm - variance.square().sum(dim=1)
    return {
        'invariance': invariance,
        'variance': F.relu(1 - (variance + _EPSILON).sqrt()).mean(),
        'covariance': 2 * off_diagonal.mean() / num_dims,
    }


@MODELS.register_module()
class VICRegLoss(nn.Module):
    """Variance-invariance-covariance regularisation.

    Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization
    for Self-Supervised Learning", ICLR 2022, arXiv 2105.04906, section 4.1 and
    the authors' code; see :func:`vicreg_terms`. More than two views are this
    project's extension.

    Args:
        invariance_weight: λ, at least 0. 25 is the paper's.
        variance_weight: μ, at least 0. 25 is the paper's.
        covariance_weight: ν, at least 0. 1 is the paper's.

    Raises:
        OptionError: If a weight is negative or not finite.
    """

    def __init__(
        self,
        invariance_weight: float = 25.0,
        variance_weight: float = 25.0,
        covariance_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.weights = {
            'invariance': invariance_weight,
            'variance': variance_weight,
            'covariance': covariance_weight,
        }
        for name, weight in self.weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise OptionError(
                    f'{name}_weight of VICRegLoss must be a finite number of at '
                    f'least 0, got {weight}'
                )

    def forward(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms, in float32 under AMP.

        Args:
            embeddings: Projector outputs (K, N, D), not normalised.

        Returns:
            ``loss_invariance``, ``loss_variance`` and ``loss_covariance``.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            terms = vicreg_terms(at_least_float32(embeddings))
        return {f'loss_{k}': self.weights[k] * term for k, term in terms.items()}

    def extra_repr(self) -> str:
        """Show the weights in ``print(model)``."""
        return ', '.join(f'{k}_weight={weight}' for k, weight in self.weights.items())
