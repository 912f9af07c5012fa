"""Names of :mod:`msbreg_mm.runs.folder` where scripts of version 0.1 look for them."""

from msbreg_mm.runs.folder import PREDICTIONS

__all__ = ['PREDICTIONS']
