"""MSBReg self-supervised pretraining and transfer evaluation on OpenMMLab.

Importing the package provides ``mmcv._ext`` on torchvision where mmcv was
installed without its compiled ops (see :mod:`msbreg_mm.ops`) and lets configs inherit
``msbreg_mm::pretrain/…`` from any folder; nothing heavy is imported: the registries
find the classes when a config first names them.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from msbreg_mm import ops
from msbreg_mm.utils import configs

if TYPE_CHECKING:
    from msbreg_mm.api import (
        Features,
        Suite,
        extract_features,
        read_report,
        read_suite,
        run_suite,
    )
    from msbreg_mm.models.backbones import load_backbone_model

# Idle OpenMP threads spin by default and take the cores of data workers and of
# other processes: two threads on two shared cores were 2 times slower. It has no
# effect once torch is imported, so the tools import this package first.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

__version__ = '0.1.0'

ops.install()
configs.register()

if 'mmengine.runner' in sys.modules:
    # A tool of upstream imports the package through custom_imports: no later than
    # now must mmengine open a checkpoint without restriction.
    from msbreg_mm.checkpoints import guard as guard


__all__ = [
    'Features',
    'Suite',
    'extract_features',
    'load_backbone_model',
    'read_report',
    'read_suite',
    'run_suite',
]


def __getattr__(name: str) -> Any:
    """Import what needs torch or numpy when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name == 'load_backbone_model':
        from msbreg_mm.models.backbones import load_backbone_model

        return load_backbone_model
    return getattr(importlib.import_module('msbreg_mm.api'), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
