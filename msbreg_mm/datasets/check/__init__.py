"""Validate a data set before hours are spent on it."""

from msbreg_mm.datasets.check.dataset import (
    Checker,
    check_dataset,
    layouts,
    register_checker,
)
from msbreg_mm.datasets.check.result import CheckResult, Finding

__all__ = [
    'CheckResult',
    'Checker',
    'Finding',
    'check_dataset',
    'layouts',
    'register_checker',
]
