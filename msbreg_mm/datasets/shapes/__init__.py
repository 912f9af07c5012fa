"""A small detection and segmentation set that is generated, not downloaded."""

from msbreg_mm.datasets.shapes.generate import ShapesSummary, generate_shapes
from msbreg_mm.datasets.shapes.outlines import CLASSES
from msbreg_mm.datasets.shapes.scene import SceneStyle

__all__ = ['CLASSES', 'SceneStyle', 'ShapesSummary', 'generate_shapes']
