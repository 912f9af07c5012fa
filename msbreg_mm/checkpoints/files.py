"""Open checkpoint files without running a line of their code.

Every format ends in :func:`open_file`: PyTorch files go through
``torch.load(weights_only=True)``, detectron2's plain pickles through an unpickler
that knows numpy arrays only, safetensors and Hugging Face folders through
safetensors.
"""

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from msbreg_mm.checkpoints.archive import (
    NO_CHECKSUMS,
    check_archive,
    is_archive,
    lacks_checksums,
)
from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.explain import HEAD_SIZE, explain, not_a_checkpoint
from msbreg_mm.checkpoints.npz import is_npz, load_npz
from msbreg_mm.checkpoints.safety import (
    ArrayUnpickler,
    SafeGlobals,
    check_memo,
    read_globals,
)

PathLike = str | os.PathLike[str]

_HF_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')


def weight_files(path: PathLike) -> list[Path]:
    """List the files that hold the weights of a checkpoint.

    Args:
        path: A file, or a Hugging Face folder.

    Returns:
        The file itself, or the folder's weight files (several when sharded).

    Raises:
        CheckpointError: If nothing is there, or the folder holds no weights.
    """
    if '://' in str(path):
        raise CheckpointError(f'{path} is an address; fetch the file and give its path')
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.exists():
        raise CheckpointError(f'{path}: no such file; check the path')
    for name in _HF_WEIGHTS:
        if (index := path / f'{name}.index.json').is_file():
            return _shards(path, index)
    for name in _HF_WEIGHTS:
        if (path / name).is_file():
            return [path / name]
    raise CheckpointError(
        f'{path} is a folder without {" or ".join(_HF_WEIGHTS)}; give a checkpoint '
        'file or a Hugging Face model folder'
    )


def _shards(folder: Path, index: Path) -> list[Path]:
    names = _read_json(index).get('weight_map')
    if not (
        isinstance(names, dict)
        and names
        and all(isinstance(name, str) for name in names.values())
    ):
        raise CheckpointError(f'{index} has no weight_map; fetch the folder again')
    # A shard's name must not lead out of the folder.
    files = [folder / Path(name).name for name in sorted(set(names.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(
            f'{folder}: shards are missing: {missing}; fetch them into the folder'
        )
    return files


def sha256(path: PathLike) -> str:
    """Hash a checkpoint's weight files.

    Args:
        path: A file, or a Hugging Face folder (its weight files, sorted by name).

    Returns:
        The SHA-256 digest, 64 hexadecimal digits.

    Raises:
        CheckpointError: If there is no such file.
    """
    digest = hashlib.sha256()
    for file in weight_files(path):
        with file.open('rb') as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def open_path(path: PathLike, *, trust: bool = False) -> dict[str, Any]:
    """Read a checkpoint file or folder into a nested dict.

    Args:
        path: A PyTorch, pickle or safetensors file, or a Hugging Face folder.
        trust: Read pickles without restriction: **this runs code that the file
            brings along**. Only for files from people you trust.

    Returns:
        What the file holds; a Hugging Face folder's ``config.json`` is under
        ``'config'``, its tensors under ``'state_dict'``.

    Raises:
        CheckpointError: If the file is missing, truncated, of an unknown type, or
            a pickle that asks for code.
    """
    return read_path(path, trust=trust)[0]


def read_path(
    path: PathLike, *, trust: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Read as :func:`open_path` does; also say what could not be checked.

    Args:
        path: See :func:`open_path`.
        trust: See :func:`open_path`.

    Returns:
        The content, and notes for the user.
    """
    path, files = Path(path), weight_files(path)
    notes = [NO_CHECKSUMS] if any(lacks_checksums(file) for file in files) else []
    if path.is_file():
        return open_file(path, trust=trust), notes
    state: dict[str, Any] = {}
    for file in files:
        state.update(open_file(file, trust=trust))
    config = path / 'config.json'
    return {
        'state_dict': state,
        'config': _read_json(config) if config.is_file() else {},
    }, notes


def open_file(path: Path, *, trust: bool = False) -> dict[str, Any]:
    """Read one file, recognised by its first bytes. See :func:`open_path`."""
    with path.open('rb') as stream:
        head = stream.read(HEAD_SIZE)
    if not head:
        raise CheckpointError(f'{path} is empty (truncated?); fetch it again')
    if head[:4] == b'PK\x03\x04' and is_npz(path):
        content = load_npz(path)
    elif head[:4] == b'PK\x03\x04':
        content = load_torch(path, read_globals(), trust=trust)
    elif head[8:9] == b'{':
        content = _load_safetensors(path)
    elif head[:1] == b'\x80':
        content = _load_pickle(path, trust=trust)
    else:
        raise not_a_checkpoint(path, head)
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, expected a dict of tensors; '
            "save the model's state_dict() instead"
        )
    return content


def load_torch(
    path: Path, allowed: SafeGlobals, *, trust: bool = False, map_location: Any = 'cpu'
) -> Any:
    """``torch.load(weights_only=True)`` with errors that say what is wrong.

    The checksums of zip files are compared first.

    Args:
        path: A zip or legacy file of ``torch.save``.
        allowed: Classes and functions that the pickle may ask for, besides
            PyTorch's own.
        trust: Load without restriction.
        map_location: As ``torch.load`` takes it.

    Returns:
        The content; tensors of zip files are memory-mapped.

    Raises:
        CheckpointError: If the file is truncated or damaged, or asks for anything
            else.
    """
    zipped = is_archive(path)
    if zipped:
        check_archive(path)
    try:
        with torch.serialization.safe_globals(allowed):  # type: ignore[arg-type]
            return torch.load(
                path, map_location=map_location, weights_only=not trust, mmap=zipped
            )
    except Exception as error:
        raise explain(path, error) from None


def _load_pickle(path: Path, *, trust: bool) -> Any:
    """A legacy ``torch.save`` file, or a plain pickle of numpy arrays."""
    with path.open('rb') as stream:
        try:
            if not trust:
                check_memo(stream)
            unpickler = pickle.Unpickler if trust else ArrayUnpickler
            content = unpickler(stream, encoding='latin1').load()
        except Exception as error:
            raise explain(path, error) from None
    # torch's legacy files start with a magic number, pickled by itself.
    if content == torch.serialization.MAGIC_NUMBER:
        return load_torch(path, read_globals(), trust=trust)
    return content


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework='pt') as file:
            # Keys of a model stored through save_file are flat: names of tensors.
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise explain(path, error) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f'{path} is not valid JSON ({error}); fetch the folder again'
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, expected an object; fetch the '
            'folder again'
        )
    return content
