"""Hashes of everything that features depend on."""

import hashlib
import json
import os
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from msbreg_mm.evaluation.extraction import read_infos

# Part of every key: raise it when features of the same inputs change.
_FORMAT = 1
# Files whose size and time are looked at; a stat of each would take minutes on a
# network file system.
_STATS = 10_000


def digest(*parts: Any) -> str:
    """Name features by everything they depend on.

    Args:
        parts: Anything that :mod:`json` writes (configs, other digests).

    Returns:
        40 hexadecimal digits.
    """
    text = json.dumps([_FORMAT, *parts], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def digest_weights(*modules: nn.Module | None) -> str:
    """Hash names, types, shapes and values of all weights and buffers."""
    sha = hashlib.sha256()
    for module in modules:
        if module is None:
            continue
        for name, tensor in module.state_dict().items():
            sha.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
            sha.update(
                tensor.detach()
                .cpu()
                .contiguous()
                .flatten()
                .view(torch.uint8)
                .numpy()
                .tobytes()
            )
        sha.update(b'|')
    return sha.hexdigest()


def digest_images(dataset: Dataset) -> str:
    """Hash which images a data set has, in order, and that the files are the same.

    Names and order of the images, the content of annotation files (``.npz`` packs
    hold the images), arrays in the annotations, and size and time of the image
    files (of 10,000 evenly spaced ones in larger sets).

    Args:
        dataset: A data set of mmengine or a wrapper around some.
    """
    sha = hashlib.sha256()
    for file in sorted(_annotation_files(dataset)):
        sha.update(_file_digest(file))
    step = -(-len(dataset) // _STATS)  # type: ignore[arg-type]
    for index, info in enumerate(read_infos(dataset)):
        path = str(info.get('img_path', ''))
        sha.update(f'{path} {info.get("pack_index", "")}\n'.encode())
        if isinstance(info.get('img'), np.ndarray):
            sha.update(np.ascontiguousarray(info['img']).data)
        elif index % step == 0 and os.path.isfile(path):
            stat = os.stat(path)
            sha.update(f'{stat.st_size} {stat.st_mtime_ns}'.encode())
    return sha.hexdigest()


def _annotation_files(dataset: Any) -> set[str]:
    inner = list(getattr(dataset, 'datasets', ()))
    inner += [dataset.dataset] if hasattr(dataset, 'dataset') else []
    files = {str(dataset.ann_file)} if getattr(dataset, 'ann_file', None) else set()
    files = {file for file in files if os.path.isfile(file)}
    return files.union(*map(_annotation_files, inner))


def _file_digest(path: str) -> bytes:
    sha = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.digest()
