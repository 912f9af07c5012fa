"""What a training reads and is scored on, as one short text that names the data."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from msbreg_mm.runs.data_check import leaf_datasets

# Files that hold labels; of all others the size must do.
_ANNOTATIONS = {'.json', '.xml', '.txt', '.csv', '.mat', '.npz', '.lst'}
# Above this many bytes a file's size and its ends are hashed, not all of it.
_MOST_BYTES = 1 << 30
_LENGTH = 12


def data_fingerprint(cfg: Mapping[str, Any]) -> str:
    """Hash the data of a config's training and validation, wherever they lie.

    Annotation files, lists and masks count with their content, images with name
    and size. Two data sets under the same file names differ in it, the same data
    in another folder do not.

    Args:
        cfg: Resolved config.

    Returns:
        12 hexadecimal digits; ``''`` if a file or folder of the data is not there,
        or the data lie on a server.
    """
    digest = hashlib.sha256()
    for name in ('train_dataloader', 'val_dataloader'):
        for dataset in leaf_datasets((cfg.get(name) or {}).get('dataset') or {}):
            for path, with_content in _parts(dataset):
                if '://' in path or not Path(path).exists():
                    return ''
                digest.update(f'{name}:{_hash(path, with_content)};'.encode())
    return digest.hexdigest()[:_LENGTH]


def _parts(dataset: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield what a data set reads, and whether it is all annotation."""
    root = dataset.get('data_root') or ''
    prefix, file = dataset.get('data_prefix') or {}, dataset.get('ann_file')
    named = {'': prefix} if isinstance(prefix, str) else dict(prefix)
    if file:
        yield os.path.join(root, file), True
    for kind, folder in named.items():
        yield os.path.join(root, folder or ''), 'seg' in kind
    if not file and not named and root:
        yield root, False


@lru_cache
def _hash(path: str, with_content: bool) -> str:
    if Path(path).is_file():
        return _hash_file(path)
    digest = hashlib.sha256()
    for name, entry in _walk(path):
        labels = with_content or os.path.splitext(name)[1].lower() in _ANNOTATIONS
        what = _hash_file(entry.path) if labels else entry.stat().st_size
        digest.update(f'{name}\0{what}\n'.encode(errors='surrogateescape'))
    return digest.hexdigest()


def _walk(folder: str, prefix: str = '') -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files below a folder in a fixed order, hidden ones left out."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith('.'):
            continue
        name = prefix + entry.name
        if entry.is_dir():
            yield from _walk(entry.path, f'{name}/')
        elif entry.is_file():
            yield name, entry


def _hash_file(path: str) -> str:
    size = os.stat(path).st_size
    with open(path, 'rb') as stream:
        if size <= _MOST_BYTES:
            return hashlib.file_digest(stream, 'sha256').hexdigest()
        ends = stream.read(1 << 20)
        stream.seek(-(1 << 20), os.SEEK_END)
        return hashlib.sha256(ends + stream.read() + str(size).encode()).hexdigest()
