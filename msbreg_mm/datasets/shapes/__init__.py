"""A small detection and segmentation set that is generated, not downloaded."""

from .generate import ShapesSummary, generate_shapes
from .outlines import CLASSES
from .scene import SceneStyle

__all__ = ['CLASSES', 'SceneStyle', 'ShapesSummary', 'generate_shapes']
