"""Fixed low-label subsets of a COCO annotation file."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msbreg_mm.datasets.writing import write_json
from msbreg_mm.utils.errors import DataError, OptionError


def subset_order(image_ids: Sequence[int], seed: int, fold: int) -> list[int]:
    """Order image ids pseudo-randomly; its first n are the subset of size n.

    The key is SHA-256 of ``'{seed}/{fold}/{image id}'``, so the order depends neither
    on a library's random generator nor on the order in the file. This project's
    choice; no published list is reproduced.

    Args:
        image_ids: Ids to order.
        seed: Seed of all folds.
        fold: Number of the fold.

    Returns:
        The same ids in the fold's order.
    """

    def key(image_id: int) -> bytes:
        return hashlib.sha256(f'{seed}/{fold}/{image_id}'.encode()).digest()

    return sorted(image_ids, key=key)


def write_subsets(
    annotation_file: str | Path,
    output_dir: str | Path,
    *,
    percents: Sequence[float] = (1, 2, 5, 10),
    num_folds: int = 5,
    seed: int = 0,
) -> list[Path]:
    """Write subsets of a COCO file with a fixed share of its images.

    Within a fold smaller subsets are contained in larger ones; folds are independent
    draws. Images without annotations count like others. Images keep the order of the
    source; categories, info and licences are kept whole.

    Args:
        annotation_file: COCO JSON with ``images`` and ``annotations``.
        output_dir: Folder for ``{stem}_{percent}pct_fold{fold}.json``.
        percents: Shares in percent, each in (0, 100].
        num_folds: Number of independent draws, at least 1.
        seed: Seed of all folds.

    Returns:
        The files written, by fold and percent.

    Raises:
        OptionError: If a percentage or ``num_folds`` is out of range, or the file has
            no images.
    """
    source = Path(annotation_file)
    for percent in percents:
        if not 0 < percent <= 100:
            raise OptionError(f'percents must be in (0, 100], got {percent}')
    if num_folds < 1:
        raise OptionError(f'num_folds must be at least 1, got {num_folds}')
    content = _read_coco(source)
    image_ids = [image['id'] for image in content['images']]
    paths = []
    for fold in range(num_folds):
        order = subset_order(image_ids, seed, fold)
        for percent in percents:
            count = max(1, round(len(order) * percent / 100))
            path = Path(output_dir) / f'{source.stem}_{percent:g}pct_fold{fold}.json'
            write_json(path, _restrict(content, set(order[:count])))
            paths.append(path)
    return paths


def _read_coco(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise DataError(f'{path} is no readable JSON: {error}') from error
    if not isinstance(content, dict) or not content.get('images'):
        raise DataError(f'{path} is no COCO annotation file: it has no "images"')
    return content


def _restrict(content: dict[str, Any], keep: set[int]) -> dict[str, Any]:
    return {
        **content,
        'images': [image for image in content['images'] if image['id'] in keep],
        'annotations': [
            annotation
            for annotation in content.get('annotations', [])
            if annotation['image_id'] in keep
        ],
    }
