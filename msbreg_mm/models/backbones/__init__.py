"""Backbones beyond mmpretrain's: any network of timm."""

from msbreg_mm.models.backbones.loading import load_backbone_model
from msbreg_mm.models.backbones.timm_backbone import TimmBackbone

__all__ = ['TimmBackbone', 'load_backbone_model']
