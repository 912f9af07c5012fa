"""Per-class AP, AP by size and precision-recall from a job's kept predictions."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from msbreg_mm.evaluation.outcomes import (
    OUTCOMES,
    Detections,
    Pixels,
    load_outcomes,
)
from msbreg_mm.runs.folder import PREDICTIONS
from msbreg_mm.runs.run_config import read_run_config
from msbreg_mm.transfer.coco_data import load_predictions, load_truth, run_coco
from msbreg_mm.utils.errors import DamagedFileError, MissingInputError
from msbreg_mm.utils.files import read_json, write_json
from msbreg_mm.utils.typed import SchemaError, convert

CACHE = 'details.json'
SIZES = ('small', 'medium', 'large')
KINDS = {'bbox': 'Box AP', 'segm': 'Mask AP', 'pixels': 'IoU'}
COCO_KINDS = ('bbox', 'segm')


@dataclass
class Details:
    """What COCO's evaluation knows beyond the averages; all in percent.

    Attributes:
        per_class: Class → AP; classes without ground truth are left out.
        by_size: ``small``, ``medium``, ``large`` → AP; absent sizes left out.
        precision: Precision at IoU 0.50, mean over classes, at the 101 recall
            levels 0, 0.01, …, 1.
    """

    per_class: dict[str, float] = field(default_factory=dict)
    by_size: dict[str, float] = field(default_factory=dict)
    precision: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ValidationSet:
    """Where a run's validation data lies.

    Attributes:
        ann_file: COCO annotation file.
        image_dir: Folder of the images.
        classes: Class names, or ``None`` for all of the file.
    """

    ann_file: Path
    image_dir: Path
    classes: tuple[str, ...] | None


def validation_set(folder: Path) -> ValidationSet:
    """Find a run's validation data through the config it was run with.

    Args:
        folder: Folder of a job.

    Raises:
        InputError: If the config or the annotation file is gone or damaged.
    """
    if (written := folder / f'{PREDICTIONS}.truth.json').is_file():
        return ValidationSet(written, Path('/'), None)  # paths are whole there
    cfg = read_run_config(folder)
    dataset = _mapping(cfg.get('val_dataloader'), 'dataset')
    root = Path(_text(dataset, 'data_root'))
    named = _text(cfg.get('val_evaluator'), 'ann_file')
    ann_file = Path(named or root / _text(dataset, 'ann_file'))
    try:
        there = ann_file.is_file()
    except (OSError, ValueError):  # too long, or with a null character
        there = False
    if not there:
        raise MissingInputError(f'no annotation file {ann_file} (of {folder})')
    classes = _mapping(dataset, 'metainfo').get('classes')
    if not isinstance(classes, (list, tuple)):
        classes = None
    prefix = _text(_mapping(dataset, 'data_prefix'), 'img')
    return ValidationSet(
        ann_file, root / prefix, None if classes is None else tuple(map(str, classes))
    )


def _mapping(content: Any, key: str) -> Mapping[str, Any]:
    """Part of a config that anyone may have written; empty if there is none."""
    part = content.get(key) if isinstance(content, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _text(content: Any, key: str) -> str:
    part = content.get(key) if isinstance(content, Mapping) else None
    return part if isinstance(part, str) else ''


def read_details(folder: Path) -> dict[str, Details]:
    """Evaluate a job's kept predictions in detail; kept in ``details.json``.

    Args:
        folder: Folder of a job.

    Returns:
        ``'bbox'`` and ``'segm'``, as far as there are predictions; of what VOC's and
        mmseg's evaluators keep ``'bbox'`` or ``'pixels'``, by class only.

    Raises:
        InputError: If the run's config, annotations or predictions are gone or
            damaged.
    """
    if (folder / OUTCOMES).is_file():
        return _of_outcomes(folder / OUTCOMES)
    files = {kind: folder / f'{PREDICTIONS}.{kind}.json' for kind in COCO_KINDS}
    files = {kind: file for kind, file in files.items() if file.is_file()}
    if not files:
        return {}
    stamp = {kind: file.stat().st_mtime_ns for kind, file in files.items()}
    cached = read_json(folder / CACHE)
    if cached and cached.get('of') == stamp:
        with suppress(SchemaError):  # then they are computed again
            found = convert(cached.get('details'), dict[str, Details], CACHE)
            if {len(detail.precision) for detail in found.values()} <= {0, 101}:
                return found
    data = validation_set(folder)
    details = {}
    for kind, file in files.items():
        try:
            details[kind] = run_coco(file, evaluate, data, file, kind)
        except (LookupError, TypeError, AssertionError, RuntimeError) as error:
            # Detections of other images or classes than there are.
            raise DamagedFileError(
                f'{file} does not fit {data.ann_file}: {type(error).__name__}: {error}'
            ) from error
    content = {kind: asdict(detail) for kind, detail in details.items()}
    write_json(folder / CACHE, {'of': stamp, 'details': content})
    return details


def evaluate(data: ValidationSet, predictions: Path, kind: str) -> Details:
    """Run COCO's evaluation on a prediction file.

    Args:
        data: Ground truth.
        predictions: COCO result file.
        kind: ``'bbox'`` or ``'segm'``.

    Returns:
        The details; empty if nothing was detected.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    results = load_predictions(predictions)
    if not results:
        return Details()
    if kind == 'segm':  # else COCO takes the area of the box for the size
        results = [{k: v for k, v in r.items() if k != 'bbox'} for r in results]
    with redirect_stdout(io.StringIO()):
        truth = COCO(load_truth(data.ann_file))
        names = {cat['id']: cat['name'] for cat in truth.dataset['categories']}
        evaluation = COCOeval_faster(truth, truth.loadRes(results), kind)
        evaluation.params.catIds = [
            cat
            for cat in sorted(names)
            if data.classes is None or names[cat] in data.classes
        ]
        evaluation.evaluate()
        evaluation.accumulate()
    # IoU thresholds × recall levels × classes × sizes (all first) × detections
    precision = np.asarray(evaluation.eval['precision'])[..., -1] * 100
    cats = evaluation.params.catIds
    per_class = {
        names[cat]: _mean(precision[:, :, index, 0]) for index, cat in enumerate(cats)
    }
    by_size = {
        size: _mean(precision[:, :, :, index])
        for index, size in enumerate(SIZES, start=1)
    }
    at_50 = np.where(precision[0, :, :, 0] < 0, np.nan, precision[0, :, :, 0])
    present = ~np.isnan(at_50).all(axis=0)
    return Details(
        {name: ap for name, ap in per_class.items() if ap is not None},
        {size: ap for size, ap in by_size.items() if ap is not None},
        [round(float(x), 2) for x in at_50[:, present].mean(axis=1)]
        if present.any()
        else [],
    )


def _of_outcomes(file: Path) -> dict[str, Details]:
    outcomes = load_outcomes(file)
    if isinstance(outcomes, Pixels):
        return {'pixels': Details(outcomes.per_class())}
    if isinstance(outcomes, Detections):
        return {'bbox': Details(outcomes.per_class())}
    return {}


def _mean(precision: np.ndarray) -> float | None:
    """AP over the entries that have ground truth (the others are negative)."""
    valid = precision[precision > -1]
    return round(float(valid.mean()), 2) if valid.size else None
