"""Singular value loss: spread the embeddings evenly over all dimensions."""

from typing import Literal, get_args

from mmengine.dist import get_world_size
from torch import Tensor

from msbreg_mm.models.losses.embedding_loss import (
    EmbeddingLoss,
    check_embeddings,
    check_form,
)
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.dist import all_reduce_sum, global_count

SingularValueForm = Literal['raw', 'centred', 'correlation']

# Variance below which a dimension counts as constant in the correlation form.
# Unit vectors spread evenly have 1/D, above 1e-5 for any D in use, and rounding
# in float32 leaves about 1e-15.
_MIN_VARIANCE = 1e-10


def singular_value_loss(embeddings: Tensor, form: SingularValueForm = 'raw') -> Tensor:
    r"""Distance of the second moment of the embeddings from that of a sphere.

    For one view Z (N, D) of unit vectors:

    - ``'raw'``: :math:`D |Z^T Z / N|_F^2 - 1 = (D / N^2) \sum_j \sigma_j^4 - 1`
      :math:`= D mean_{ij} <z_i, z_j>^2 - 1`, in [max(0, D/N - 1), D - 1]: 0 when
      all singular values are equal, D - 1 when all embeddings lie on one line;
    - ``'centred'``: :math:`D |C - I/D|_F^2` with the covariance C, that is the
      raw form where the mean is 0, and 1 where all embeddings are one point
      (D |C|^2 - 1 would reward that collapse);
    - ``'correlation'``: :math:`|corr(Z) - I|_F^2 / D`; a constant dimension has
      correlation 0 with itself and no gradient, so this form alone does not
      undo a full collapse.

    The mean over views is returned. No SVD is taken: :math:`\sum_j \sigma_j^4`
    is the squared Frobenius norm of the smaller of :math:`Z^T Z` and
    :math:`Z Z^T`. On several processes the D x D matrices (and in the other
    forms the D means and variances) are summed over ranks, so that the loss is
    that of the concatenated batch.

    Args:
        embeddings: Embeddings of unit length.
        form: ``'raw'``, ``'centred'`` or ``'correlation'``.

    Shape:
        embeddings (K, N, D). N = 1 has a raw form, D - 1; the others need N >= 2.

    Returns:
        Scalar, at least 0 up to rounding.

    Raises:
        ValueError: If ``form`` is unknown, the shape wrong or N too small for it.
    """
    check_form('singular_value_loss', form, get_args(SingularValueForm))
    check_embeddings('embeddings', embeddings)
    num_images, num_dims = embeddings.shape[1:]
    count = global_count(num_images, embeddings)
    if form != 'raw':
        if num_images * get_world_size() < 2:
            raise ValueError(
                f'the {form!r} form of the singular value loss compares images and '
                'needs a batch of at least 2, got 1; raise the batch size or use '
                "form='raw'"
            )
        mean = all_reduce_sum(embeddings.sum(dim=1, keepdim=True)) / count
        embeddings = embeddings - mean
    if form == 'correlation':
        square = embeddings.square().sum(dim=1, keepdim=True)
        variance = all_reduce_sum(square) / count
        embeddings = embeddings / (num_dims * variance.clamp_min(_MIN_VARIANCE)).sqrt()
    moment = _gram(embeddings) / count
    square_norm = moment.square().sum(dim=(1, 2))
    if form == 'raw':  # the trace is 1 for unit vectors
        return (num_dims * square_norm - 1).mean()
    trace = moment.diagonal(dim1=1, dim2=2).sum(dim=1)
    return (num_dims * square_norm - 2 * trace + 1).mean()


def _gram(embeddings: Tensor) -> Tensor:
    """Return ZᵀZ over all ranks, or ZZᵀ where it is smaller, for each view."""
    num_images, num_dims = embeddings.shape[1:]
    if get_world_size() == 1 and num_images < num_dims:
        return embeddings @ embeddings.mT  # same singular values and trace
    return all_reduce_sum(embeddings.mT @ embeddings)


@MODELS.register_module()
class SingularValueLoss(EmbeddingLoss):
    """Decorrelate dimensions and spread the embeddings homogeneously.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552, describe the term in words; formula, forms and
    weight are this project's choice (``docs/method.md``). The scale depends on
    batch and dimension (uniform points have the expectation (D - 1) / N), so
    choose ``loss_weight`` per setting. See :func:`singular_value_loss`.

    Args:
        form: ``'raw'``, ``'centred'`` or ``'correlation'``.
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: If ``form`` is unknown or ``loss_weight`` negative.
    """

    def __init__(
        self, form: SingularValueForm = 'raw', loss_weight: float = 0.01
    ) -> None:
        super().__init__(loss_weight)
        check_form('SingularValueLoss', form, get_args(SingularValueForm))
        self.form: SingularValueForm = form

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the weighted :func:`singular_value_loss`."""
        return self.weighted(singular_value_loss, embeddings, form=self.form)
