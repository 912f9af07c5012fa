"""Validate a data set before hours are spent on it."""

from msbreg_mm.datasets.check.dataset import LAYOUTS, check_dataset
from msbreg_mm.datasets.check.result import CheckResult, Finding

__all__ = ['LAYOUTS', 'CheckResult', 'Finding', 'check_dataset']
