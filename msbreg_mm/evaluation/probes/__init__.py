"""Probes of frozen features, one per file; configs name them ``msbreg_mm.X``."""

from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.evaluation.probes.geometry import GeometryProbe
from msbreg_mm.evaluation.probes.knn import KNNProbe

__all__ = ['GeometryProbe', 'KNNProbe', 'Probe']
