"""Looks for the files that a config names."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from msbreg_mm.utils.errors import MissingInputError


def check_data(cfg: Config) -> None:
    """Name a missing folder or annotation file before anything is built.

    Args:
        cfg: Config of a runner. Beside the ``data_root``, ``data_prefix`` and
            ``ann_file`` of its data sets it may list ``data_files``, relative to its
            own ``data_root``; ``a|b`` stands for either.

    Raises:
        MissingInputError: If something is not there (a ``FileNotFoundError``).
    """
    _check_files(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for dataset in leaf_datasets((cfg.get(name) or {}).get('dataset') or {}):
            _check_dataset(name, dataset)


def leaf_datasets(dataset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the data sets inside RepeatDataset, ConcatDataset and the like."""
    inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
    return (
        [leaf for part in inner for leaf in leaf_datasets(part)] if inner else [dataset]
    )


def _check_dataset(name: str, dataset: Mapping[str, Any]) -> None:
    root = dataset.get('data_root') or ''
    # Data on a server (s3://…) is left to mmengine's file backends.
    if root and '://' not in root and not Path(root).exists():
        raise MissingInputError(
            f'{name}: data_root {root!r} does not exist; pass '
            '--cfg-options data_root=FOLDER'
        )
    prefix = dataset.get('data_prefix') or ''
    parts = [prefix] if isinstance(prefix, str) else list(prefix.values())
    for part in (*parts, dataset.get('ann_file') or ''):
        path = os.path.join(root, part or '')
        if path and '://' not in path and not Path(path).exists():
            raise MissingInputError(
                f'{name}: {path} does not exist; see docs/data.md for the '
                'layouts and msbreg data check'
            )


def _check_files(cfg: Config) -> None:
    root, files = cfg.get('data_root') or '', cfg.get('data_files') or ()
    for file in files:
        paths = [os.path.join(root, part) for part in file.split('|')]
        if '://' in root or any(Path(path).exists() for path in paths):
            continue
        raise MissingInputError(
            f'{" and ".join(paths)} not found. The data set must lie in {root!r}, or '
            f'pass --cfg-options data_root=FOLDER; the folder holds: '
            f'{", ".join(files).replace("|", " or ")}. Nothing is downloaded; '
            'docs/classification.md has the layouts'
        )
