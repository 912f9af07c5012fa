"""Losses on embeddings: pure functions and the modules registered over them."""

from msbreg_mm.models.losses.brownian_diffusive_loss import (
    BrownianDiffusiveLoss,
    brownian_diffusive_loss,
    sample_directions,
)
from msbreg_mm.models.losses.embedding_loss import (
    EmbeddingLoss,
    at_least_float32,
    check_finite,
)
from msbreg_mm.models.losses.multiview_centroid_loss import (
    MultiviewCentroidLoss,
    multiview_centroid_loss,
)
from msbreg_mm.models.losses.singular_value_loss import (
    SingularValueLoss,
    singular_value_loss,
)
from msbreg_mm.models.losses.vicreg_loss import VICRegLoss, vicreg_terms

__all__ = [
    'BrownianDiffusiveLoss',
    'EmbeddingLoss',
    'MultiviewCentroidLoss',
    'SingularValueLoss',
    'VICRegLoss',
    'at_least_float32',
    'brownian_diffusive_loss',
    'check_finite',
    'multiview_centroid_loss',
    'sample_directions',
    'singular_value_loss',
    'vicreg_terms',
]
