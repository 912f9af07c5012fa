"""From kept COCO predictions to matched detections, by faster-coco-eval."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from msbreg_mm.evaluation.outcomes import Detections
from msbreg_mm.transfer.coco_data import load_predictions, load_truth
from msbreg_mm.transfer.details import ValidationSet
from msbreg_mm.utils.errors import DamagedFileError


def match_detections(data: ValidationSet, predictions: Path, kind: str) -> Detections:
    """Match a run's detections with the ground truth, image by image.

    The matching is that of faster-coco-eval; nothing is matched here again.

    Args:
        data: Ground truth.
        predictions: COCO result file.
        kind: ``'bbox'`` or ``'segm'``.

    Returns:
        The detections with COCO's ten IoUs, all sizes, 100 detections an image.

    Raises:
        InputError: If a file is missing or damaged.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    results = load_predictions(predictions)
    if kind == 'segm':  # else COCO takes the area of the box for the size
        results = [{k: v for k, v in r.items() if k != 'bbox'} for r in results]
    with redirect_stdout(io.StringIO()):
        truth = COCO(load_truth(data.ann_file))
        names = {cat['id']: cat['name'] for cat in truth.dataset['categories']}
        cats = [
            cat
            for cat in sorted(names)
            if data.classes is None or names[cat] in data.classes
        ]
        if not results:
            return _none(truth, cats, names, kind)
        if unknown := {r['image_id'] for r in results} - set(truth.getImgIds()):
            raise DamagedFileError(
                f'{predictions}: {len(unknown)} images that {data.ann_file} lacks'
            )
        evaluation = COCOeval_faster(
            truth, truth.loadRes(results), kind, separate_eval=True
        )
        params = evaluation.params
        params.catIds, params.maxDets = cats, [100]
        params.areaRng, params.areaRngLbl = [[0, 1e10]], ['all']
        evaluation.evaluate()
    images = list(evaluation.params.imgIds)
    return _gather(evaluation._evalImgs_cpp, images, [names[c] for c in cats], kind)


def _gather(
    found: list[Any], images: list, classes: list[str], kind: str
) -> Detections:
    """Join what the evaluator keeps of each class and image."""
    thresholds = 10
    parts: list[tuple[np.ndarray, ...]] = []
    positives = np.zeros((len(images), len(classes)), np.int64)
    for index, item in enumerate(found):
        c, image = divmod(index, len(images))
        matches, _, scores, gt_ignored, ignored, _ = item.__getstate__()
        positives[image, c] = len(gt_ignored) - sum(gt_ignored)
        if scores:
            shape = (thresholds, len(scores))
            parts.append(
                (
                    np.full(len(scores), image),
                    np.full(len(scores), c),
                    np.array(scores),
                    np.reshape(matches, shape) > 0,
                    np.reshape(ignored, shape).astype(bool),
                )
            )
    if not parts:
        parts = [_nothing(thresholds)]
    image, label, scores, right, ignored = zip(*parts, strict=True)
    return Detections(
        np.array(images),
        np.array(classes),
        np.concatenate(image),
        np.concatenate(label),
        np.concatenate(scores),
        np.concatenate(right, axis=1),
        np.concatenate(ignored, axis=1),
        positives,
        *_keys(kind),
        np.array('coco'),
    )


def _none(truth: Any, cats: list, names: dict, kind: str) -> Detections:
    """Without a detection every AP is 0, as the record has it."""
    images = sorted(truth.getImgIds())
    row = {image: index for index, image in enumerate(images)}
    column = {cat: index for index, cat in enumerate(cats)}
    positives = np.zeros((len(images), len(cats)), np.int64)
    for item in truth.dataset['annotations']:
        if not item.get('iscrowd') and item['category_id'] in column:
            positives[row[item['image_id']], column[item['category_id']]] += 1
    classes = np.array([names[cat] for cat in cats])
    image, label, scores, right, ignored = _nothing(10)
    return Detections(
        np.array(images), classes, image, label, scores, right, ignored, positives,
        *_keys(kind), np.array('coco'),
    )  # fmt: skip


def _nothing(thresholds: int) -> tuple[np.ndarray, ...]:
    none, flags = np.zeros(0, np.int64), np.zeros((thresholds, 0), bool)
    return none, none, np.zeros(0), flags, flags


def _keys(kind: str) -> tuple[np.ndarray, np.ndarray]:
    names = [f'coco/{kind}_mAP', f'coco/{kind}_mAP_50', f'coco/{kind}_mAP_75']
    return np.array(names), np.array([-1, 0, 5])
