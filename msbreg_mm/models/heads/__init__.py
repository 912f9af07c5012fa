"""Heads: normalisation, predictor and the weighted loss terms."""

from .latent_ablation_head import LatentAblationHead, NoNorm
from .msbreg_head import MSBRegHead
from .normalized_linear_head import NormalizedLinearClsHead
from .regularizer import EmbeddingRegularizer
from .vicreg_head import VICRegHead

__all__ = [
    'EmbeddingRegularizer',
    'LatentAblationHead',
    'MSBRegHead',
    'NoNorm',
    'NormalizedLinearClsHead',
    'VICRegHead',
]
