"""What VOC's and mmseg's evaluators know of each image, kept for the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msbreg_mm.evaluation.outcomes import Detections
from msbreg_mm.utils.files import write_json


def match_voc(
    truth: Sequence[dict[str, Any]],
    predictions: Sequence[Sequence[np.ndarray]],
    images: Sequence[str],
    classes: Sequence[str],
    thresholds: Sequence[float],
    mode: str,
    legacy_boxes: bool,
) -> Detections:
    """Match detections with objects by mmdet's rule for VOC.

    Args:
        truth: ``bboxes``, ``labels``, ``bboxes_ignore``, ``labels_ignore`` per image.
        predictions: Boxes with scores (n, 5) per image and class.
        images: Names of the images.
        classes: Names of the classes.
        thresholds: IoUs.
        mode: ``'area'`` or ``'11points'``.
        legacy_boxes: Whether a side is ``x2 - x1 + 1``, see
            :class:`~msbreg_mm.evaluation.detection_metrics.ExactVOCMetric`.

    Returns:
        Their matches; difficult objects count neither for nor against.
    """
    from mmdet.evaluation.functional.mean_ap import get_cls_results, tpfp_default

    positives = np.zeros((len(images), len(classes)), np.int64)
    image, label, scores, right, ignored = [], [], [], [], []
    for c in range(len(classes)):
        per_image = zip(*get_cls_results(predictions, truth, c), strict=True)
        for row, (found, objects, difficult) in enumerate(per_image):
            positives[row, c] = len(objects)
            if not len(found):
                continue
            matched = [
                tpfp_default(
                    found, objects, difficult, iou, None,
                    use_legacy_coordinate=legacy_boxes,
                )
                for iou in thresholds
            ]  # fmt: skip
            image.append(np.full(len(found), row))
            label.append(np.full(len(found), c))
            scores.append(found[:, -1])
            right.append(np.stack([tp[0] > 0 for tp, _ in matched]))
            ignored.append(np.stack([(tp[0] + fp[0]) == 0 for tp, fp in matched]))
    none, flags = [np.zeros(0, np.int64)], [np.zeros((len(thresholds), 0), bool)]
    keys = [
        'pascal_voc/mAP',
        *(f'pascal_voc/AP{round(t * 100):02d}' for t in thresholds),
    ]
    return Detections(
        np.array(images),
        np.array(classes),
        np.concatenate(image or none),
        np.concatenate(label or none),
        np.concatenate(scores or none),
        np.concatenate(right or flags, axis=1),
        np.concatenate(ignored or flags, axis=1),
        positives,
        np.array(keys),
        np.array([-1, *range(len(thresholds))]),
        np.array(mode),
    )


def write_as_coco(
    prefix: str | Path,
    truth: Sequence[dict[str, Any]],
    predictions: Sequence[Sequence[np.ndarray]],
    images: Sequence[str],
    classes: Sequence[str],
) -> None:
    """Write objects and detections as COCO has them, for the report's pictures.

    Args:
        prefix: Start of the files' names: ``.truth.json`` and ``.bbox.json``.
        truth: See :func:`match_voc`; difficult objects become crowds.
        predictions: See :func:`match_voc`.
        images: Paths of the images.
        classes: Names of the classes.
    """
    annotations: list[dict[str, Any]] = []
    detections = []
    for row, (objects, found) in enumerate(zip(truth, predictions, strict=True)):
        for part, crowd in (('', 0), ('_ignore', 1)):
            pairs = zip(objects[f'bboxes{part}'], objects[f'labels{part}'], strict=True)
            for box, label in pairs:
                place = _place(row, int(label), box)
                area = place['bbox'][2] * place['bbox'][3]
                about = {'id': len(annotations) + 1, 'area': area, 'iscrowd': crowd}
                annotations.append({**place, **about})
        for label, boxes in enumerate(found):
            for box in boxes:
                score = round(float(box[4]), 5)
                detections.append({**_place(row, label, box), 'score': score})
    write_json(
        f'{prefix}.truth.json',
        {
            'images': [{'id': i, 'file_name': str(p)} for i, p in enumerate(images)],
            'categories': [{'id': i, 'name': str(n)} for i, n in enumerate(classes)],
            'annotations': annotations,
        },
    )
    write_json(f'{prefix}.bbox.json', detections)


def _place(image: int, label: int, box: np.ndarray) -> dict[str, Any]:
    left, top, right, bottom = (round(float(x), 2) for x in box[:4])
    sides = [left, top, round(right - left, 2), round(bottom - top, 2)]
    return {'image_id': image, 'category_id': label, 'bbox': sides}
