"""Self-supervised algorithms."""

from msbreg_mm.models.selfsup.msbreg import MSBReg
from msbreg_mm.models.selfsup.regularized import build_regularized
from msbreg_mm.models.selfsup.vicreg import VICReg

__all__ = ['MSBReg', 'VICReg', 'build_regularized']
