"""Necks that upstream packages lack."""

from msbreg_mm.models.necks.grid_pooling import GridPooling
from msbreg_mm.models.necks.simple_feature_pyramid import SimpleFeaturePyramid

__all__ = ['GridPooling', 'SimpleFeaturePyramid']
