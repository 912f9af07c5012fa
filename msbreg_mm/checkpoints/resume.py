"""Check a checkpoint before mmengine opens it."""

from collections.abc import Mapping
from pathlib import Path

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike, load_torch
from msbreg_mm.checkpoints.safety import resume_globals


def verify_resumable(path: PathLike) -> None:
    """Check that mmengine can open a checkpoint without an unrestricted pickle.

    mmengine loads with ``weights_only=True`` and, when that fails, silently
    without; and it writes in place, so that a kill leaves a truncated file. Call
    this before ``resume`` and ``load_from``.

    Args:
        path: A ``.pth`` file that an mmengine Runner wrote.

    Raises:
        CheckpointError: If the file is missing, truncated, wants more than
            mmengine's harmless classes, or has no ``state_dict``.
    """
    if '://' in str(path):
        raise CheckpointError(f'{path} is an address; fetch the file and give its path')
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such file; check the path')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path} is empty (truncated); resume from another file')
    content = load_torch(path, resume_globals())
    if not isinstance(content, Mapping) or 'state_dict' not in content:
        raise CheckpointError(
            f'{path} has no state_dict, so no mmengine Runner wrote it; convert it '
            'with tools/convert_checkpoint.py'
        )
