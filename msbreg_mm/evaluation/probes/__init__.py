"""Probes of frozen features, one per file; configs name them ``msbreg_mm.X``."""

from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.evaluation.probes.discovery import LostProbe, TokenCutProbe
from msbreg_mm.evaluation.probes.few_shot import FewShotProbe
from msbreg_mm.evaluation.probes.geometry import GeometryProbe
from msbreg_mm.evaluation.probes.knn import KNNProbe
from msbreg_mm.evaluation.probes.logistic import LogisticProbe
from msbreg_mm.evaluation.probes.svm import SVMProbe

__all__ = [
    'FewShotProbe',
    'GeometryProbe',
    'KNNProbe',
    'LogisticProbe',
    'LostProbe',
    'Probe',
    'SVMProbe',
    'TokenCutProbe',
]
