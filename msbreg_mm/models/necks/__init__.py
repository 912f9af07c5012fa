"""Necks that upstream packages lack."""

from .grid_pooling import GridPooling
from .simple_feature_pyramid import SimpleFeaturePyramid

__all__ = ['GridPooling', 'SimpleFeaturePyramid']
