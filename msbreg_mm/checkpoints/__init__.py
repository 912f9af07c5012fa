"""Read and write every checkpoint format; the only place that renames keys.

Names are imported when they are first used: most of them need torch, which takes
seconds, and :mod:`msbreg_mm.checkpoints.reference` does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msbreg_mm.checkpoints.errors import CheckpointError
    from msbreg_mm.checkpoints.files import sha256
    from msbreg_mm.checkpoints.format_names import FORMATS
    from msbreg_mm.checkpoints.loading import load_backbone, match_backbone
    from msbreg_mm.checkpoints.reading import Checkpoint, read_checkpoint
    from msbreg_mm.checkpoints.report import MatchReport
    from msbreg_mm.checkpoints.resume import verify_resumable
    from msbreg_mm.checkpoints.writing import convert_checkpoint, save_checkpoint

__all__ = [
    'FORMATS',
    'Checkpoint',
    'CheckpointError',
    'MatchReport',
    'convert_checkpoint',
    'load_backbone',
    'match_backbone',
    'read_checkpoint',
    'save_checkpoint',
    'sha256',
    'verify_loaded',
    'verify_resumable',
]

_MODULES = {
    'FORMATS': 'format_names',
    'Checkpoint': 'reading',
    'CheckpointError': 'errors',
    'MatchReport': 'report',
    'convert_checkpoint': 'writing',
    'load_backbone': 'loading',
    'match_backbone': 'loading',
    'read_checkpoint': 'reading',
    'save_checkpoint': 'writing',
    'sha256': 'files',
    'verify_loaded': 'loading',
    'verify_resumable': 'resume',
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
