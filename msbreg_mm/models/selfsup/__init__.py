"""Self-supervised algorithms."""

from .msbreg import MSBReg
from .regularized import build_regularized
from .vicreg import VICReg

__all__ = ['MSBReg', 'VICReg', 'build_regularized']
