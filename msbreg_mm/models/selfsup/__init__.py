"""Self-supervised algorithms."""

from .msbreg import MSBReg

__all__ = ['MSBReg']
