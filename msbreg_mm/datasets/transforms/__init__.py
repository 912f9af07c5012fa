"""The multi-view pipeline of pretraining."""

from .multi_view_augment import MultiViewAugment
from .view_config import ViewConfig, byol_views

__all__ = ['MultiViewAugment', 'ViewConfig', 'byol_views']
