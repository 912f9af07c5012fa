"""Validate a data set before hours are spent on it."""

from .dataset import LAYOUTS, check_dataset
from .result import CheckResult, Finding

__all__ = ['LAYOUTS', 'CheckResult', 'Finding', 'check_dataset']
