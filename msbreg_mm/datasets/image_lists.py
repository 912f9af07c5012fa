"""Lists of images with optional labels: text files and packs of encoded files."""

import zipfile
from pathlib import Path

import numpy as np

from msbreg_mm.utils.errors import DataError


def read_lines(path: str, prefix: str, with_label: bool | None = None) -> list[dict]:
    """Read ``path label`` or ``path`` from each line of a text file.

    Args:
        path: Text file; blank lines are skipped.
        prefix: Folder of the images.
        with_label: Whether a label must end each line; None takes labels if an
            integer ends every line.

    Returns:
        ``img_path`` and, with labels, ``gt_label`` of each image.

    Raises:
        DataError: If a line has no label.
    """
    lines = Path(path).read_text(encoding='utf-8').splitlines()
    stripped = {n: text for n, line in enumerate(lines, 1) if (text := line.strip())}
    split = {n: text.rpartition(' ') for n, text in stripped.items()}
    if with_label is None:
        with_label = all(label.isdecimal() for _, _, label in split.values())
    if not with_label:
        return [{'img_path': str(Path(prefix) / name)} for name in stripped.values()]
    for number, (name, _, label) in split.items():
        if not (name and label.isdecimal()):
            raise DataError(
                f'{path}:{number} is not "path label": {stripped[number]!r}; without '
                'labels set with_label=False'
            )
    return [
        {'img_path': str(Path(prefix) / name), 'gt_label': int(label)}
        for name, _, label in split.values()
    ]


def read_npz(
    path: str, with_label: bool | None = None
) -> tuple[list[dict], list[np.ndarray]]:
    """Read a pack of encoded image files.

    Args:
        path: ``.npz`` with ``jpeg`` (uint8, all files one after another), ``offset``
            (integers, N + 1; file i is ``jpeg[offset[i]:offset[i + 1]]``) and
            optionally ``label`` (integers, N).
        with_label: Whether labels must be there; None takes them if they are.

    Returns:
        ``img_path`` (the pack and the index in it), ``pack_index`` and, with labels,
        ``gt_label`` of each image; and the bytes of each image's file.

    Raises:
        DataError: If the file is no such pack.
    """
    try:
        with np.load(path, allow_pickle=False) as pack:
            arrays = {name: pack[name] for name in pack}
    # np.load returns a bare array, or takes the file for a pickle, if it is no archive.
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f'{path} is no readable .npz: {error}') from error
    if with_label is None:
        with_label = 'label' in arrays
    wanted = ['jpeg', 'offset'] + ['label'] * with_label
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise DataError(
            f'{path} has no array {", ".join(missing)}, only {", ".join(arrays)}'
        )
    jpeg, offset = arrays['jpeg'], arrays['offset']
    rises = len(offset) > 0 and offset[0] >= 0 and (np.diff(offset) >= 0).all()
    if not rises or offset[-1] > len(jpeg):
        raise DataError(
            f'{path}: offset does not fit jpeg: it must rise from 0 to at most '
            f'{len(jpeg)}'
        )
    files = np.split(jpeg[offset[0] : offset[-1]], offset[1:-1] - offset[0])
    files = files[: len(offset) - 1]
    infos = [{'img_path': f'{path}[{i}]', 'pack_index': i} for i in range(len(files))]
    if not with_label:
        return infos, files
    labels = arrays['label']
    if len(labels) != len(infos):
        raise DataError(f'{path}: {len(labels)} labels for {len(infos)} images')
    return [
        {**info, 'gt_label': int(label)}
        for info, label in zip(infos, labels, strict=True)
    ], files
