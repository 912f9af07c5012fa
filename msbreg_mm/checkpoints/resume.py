"""Check a checkpoint before mmengine opens it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike, load_torch
from msbreg_mm.checkpoints.safety import resume_globals
from msbreg_mm.checkpoints.values import MOST_EXPANDED


def verify_resumable(path: PathLike) -> None:
    """Check that mmengine can open a checkpoint without an unrestricted pickle.

    mmengine loads with ``weights_only=True`` and, when that fails, silently
    without; and it writes in place, so that a kill leaves a truncated file. Call
    this before ``resume`` and ``load_from``.

    Args:
        path: A ``.pth`` file that an mmengine Runner wrote.

    Raises:
        CheckpointError: If the file is missing, truncated, damaged (a CRC-32 does
            not agree), wants more than mmengine's harmless classes, or has no
            ``state_dict`` of plain tensors.
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
            'with msbreg convert'
        )
    state = content['state_dict']
    if not isinstance(state, Mapping):
        raise _damaged(path, f'state_dict is a {type(state).__name__}')
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise _damaged(path, f'state_dict[{key!r}] is a {type(value).__name__}')
        if value.is_meta or value.layout is not torch.strided or value.is_quantized:
            raise _damaged(path, f'state_dict[{key!r}] is no plain tensor of values')
        size = value.numel() * value.element_size()
        if size > max(value.untyped_storage().nbytes(), MOST_EXPANDED):
            raise _damaged(path, f'state_dict[{key!r}] claims {size:,} bytes')


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f'{path} is damaged or was not written by mmengine: {what}; resume from '
        'another file'
    )
