"""The multi-view pipeline of pretraining, and what segmentation lacks upstream."""

from msbreg_mm.datasets.transforms.foreground_mask import ForegroundMask
from msbreg_mm.datasets.transforms.multi_view_augment import MultiViewAugment
from msbreg_mm.datasets.transforms.view_config import ViewConfig, byol_views

__all__ = ['ForegroundMask', 'MultiViewAugment', 'ViewConfig', 'byol_views']
