"""Read and write every checkpoint format; the only place that renames keys."""

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import sha256
from msbreg_mm.checkpoints.loading import MatchReport, load_backbone
from msbreg_mm.checkpoints.reading import Checkpoint, read_checkpoint
from msbreg_mm.checkpoints.resume import verify_resumable

__all__ = [
    'Checkpoint',
    'CheckpointError',
    'MatchReport',
    'load_backbone',
    'read_checkpoint',
    'sha256',
    'verify_resumable',
]
