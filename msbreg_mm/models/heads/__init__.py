"""Heads: normalisation, predictor and the weighted loss terms."""

from .msbreg_head import MSBRegHead

__all__ = ['MSBRegHead']
