"""Read and write every checkpoint format; the only place that renames keys."""

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import sha256
from msbreg_mm.checkpoints.loading import load_backbone
from msbreg_mm.checkpoints.reading import Checkpoint, read_checkpoint
from msbreg_mm.checkpoints.report import MatchReport
from msbreg_mm.checkpoints.resume import verify_resumable
from msbreg_mm.checkpoints.writing import (
    FORMATS,
    convert_checkpoint,
    save_checkpoint,
)

__all__ = [
    'FORMATS',
    'Checkpoint',
    'CheckpointError',
    'MatchReport',
    'convert_checkpoint',
    'load_backbone',
    'read_checkpoint',
    'save_checkpoint',
    'sha256',
    'verify_resumable',
]
