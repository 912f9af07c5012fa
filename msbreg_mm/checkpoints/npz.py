"""numpy's archives of arrays, in which TIPS is published."""

import zipfile
from pathlib import Path

import numpy as np

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.explain import explain

# Weights are hardly smaller when compressed. This project's choice.
_MOST_EXPANDED = 20


def is_npz(path: Path) -> bool:
    """Whether a zip file holds numpy arrays and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a damaged archive is explained where it is opened
        return False
    return bool(names) and all(name.endswith('.npy') for name in names)


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays; pickled objects are refused.

    Raises:
        CheckpointError: If the file is damaged, holds objects, or grows to far more
            than it is.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _MOST_EXPANDED * path.stat().st_size:
        raise CheckpointError(
            f'{path} would unpack to {size:,} bytes, {_MOST_EXPANDED} times its size '
            'and more; no file of weights is like that'
        )
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays.items())
    except Exception as error:
        raise explain(path, error) from None
