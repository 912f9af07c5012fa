"""Heads: normalisation, predictor and the weighted loss terms."""

from msbreg_mm.models.heads.embedding_terms import EmbeddingTerms
from msbreg_mm.models.heads.latent_ablation_head import LatentAblationHead, NoNorm
from msbreg_mm.models.heads.msbreg_head import MSBRegHead
from msbreg_mm.models.heads.normalized_linear_head import NormalizedLinearClsHead
from msbreg_mm.models.heads.vicreg_head import VICRegHead

__all__ = [
    'EmbeddingTerms',
    'LatentAblationHead',
    'MSBRegHead',
    'NoNorm',
    'NormalizedLinearClsHead',
    'VICRegHead',
]
