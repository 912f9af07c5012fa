"""Draw predicted and true classes of a few images of semantic segmentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from msbreg_mm.evaluation.outcomes import SEGMENTATIONS
from msbreg_mm.transfer.predictions import (
    WIDTH,
    Picture,
    class_colour,
    encode,
    read_image,
)
from msbreg_mm.utils.errors import DamagedFileError

_IGNORED = 255


@dataclass(frozen=True)
class _Maps:
    """What a job kept of one image: (H, W) classes."""

    path: str
    predicted: np.ndarray
    truth: np.ndarray


def compare_segmentations(folders: Mapping[str, Path]) -> list[list[Picture]]:
    """Draw the kept maps of the same images for several checkpoints.

    The images are the first of the validation set, whatever they show.

    Args:
        folders: Title → folder of a job.

    Returns:
        For each image, the ground truth and one picture per checkpoint; empty if
        no job kept any.

    Raises:
        InputError: If a file is damaged or an image is gone.
    """
    kept = {
        name: {maps.path: maps for maps in _read(folder / SEGMENTATIONS)}
        for name, folder in folders.items()
        if (folder / SEGMENTATIONS).is_file()
    }
    if not kept:
        return []
    rows = []
    shared = set.intersection(*(set(maps) for maps in kept.values()))
    for path, first in next(iter(kept.values())).items():
        if path not in shared:
            continue
        pixels = read_image(Path(path))
        row = [_picture('ground truth', pixels, first.truth, first.truth)]
        for name, maps in kept.items():
            mine = maps[path]
            row.append(_picture(name, pixels, mine.predicted, mine.truth))
        rows.append(row)
    return rows


def _read(file: Path) -> list[_Maps]:
    try:
        with np.load(file, allow_pickle=False) as content:
            found = [
                _Maps(str(path), content[f'predicted{i}'], content[f'truth{i}'])
                for i, path in enumerate(content['paths'])
            ]
        if any(maps.predicted.shape != maps.truth.shape for maps in found):
            raise ValueError('maps of one image differ in size')
        if any(maps.predicted.ndim != 2 for maps in found):
            raise ValueError('a map is no image')
    except Exception as error:  # numpy and zipfile raise many kinds
        raise DamagedFileError(f'{file} holds no segmentations: {error!r}') from None
    return found


def _picture(
    title: str, pixels: Image.Image, shown: np.ndarray, truth: np.ndarray
) -> Picture:
    size = (WIDTH, max(round(shown.shape[0] * WIDTH / shown.shape[1]), 1))
    known = truth != _IGNORED
    colours = np.zeros((256, 3), np.float32)
    colours[1:_IGNORED] = [class_colour(c) for c in range(1, _IGNORED)]
    ground = np.asarray(pixels.resize(shown.shape[::-1]), np.float32)
    mixed = 0.45 * ground + 0.55 * colours[shown]
    mixed[~known] = ground[~known]
    image = Image.fromarray(mixed.astype(np.uint8)).resize(size)
    right = (shown == truth)[known]
    if title == 'ground truth':
        count = len(np.unique(truth[known]))
        caption = f'{count} class{"es" * (count != 1)}'
    else:
        caption = f'{100 * right.mean():.0f} % of pixels right' if right.size else ''
    return Picture(title, encode(image), caption)
