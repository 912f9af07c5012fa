"""Imports of upstream packages without their optional, slow dependencies."""

import importlib
import sys
from types import ModuleType


def import_without(name: str, blocked: str) -> ModuleType:
    """Import ``name`` as if the package ``blocked`` were not installed.

    Nothing is blocked when ``blocked`` has been imported before: then it costs
    nothing any more, and detection wants what ``name`` registers with it.

    Args:
        name: Module to import, e.g. ``'mmpretrain.models'``.
        blocked: Top-level package which ``name`` imports inside
            ``try … except ImportError``, e.g. ``'mmdet'``.

    Returns:
        The imported module.
    """
    if blocked in sys.modules:
        return importlib.import_module(name)
    # None in sys.modules makes `import blocked` raise ModuleNotFoundError.
    sys.modules[blocked] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[blocked]
