"""Evaluation of frozen features: kNN accuracy and geometry of embeddings."""

from msbreg_mm.evaluation.geometry import (
    alignment,
    effective_rank,
    largest_share,
    participation_ratio,
    per_dimension_std,
    singular_values,
    spectrum_measures,
    summarize,
    uniformity,
)
from msbreg_mm.evaluation.knn import knn_accuracy, knn_predict

__all__ = [
    'alignment',
    'effective_rank',
    'knn_accuracy',
    'knn_predict',
    'largest_share',
    'participation_ratio',
    'per_dimension_std',
    'singular_values',
    'spectrum_measures',
    'summarize',
    'uniformity',
]
