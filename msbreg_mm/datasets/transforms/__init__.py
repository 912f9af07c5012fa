"""The multi-view pipeline of pretraining, and what segmentation lacks upstream."""

from .foreground_mask import ForegroundMask
from .multi_view_augment import MultiViewAugment
from .view_config import ViewConfig, byol_views

__all__ = ['ForegroundMask', 'MultiViewAugment', 'ViewConfig', 'byol_views']
