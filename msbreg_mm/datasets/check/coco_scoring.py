"""Ask COCO's evaluators whether perfect predictions score as perfect."""

import contextlib
import copy
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from pycocotools import mask as rle
from pycocotools.cocoeval import COCOeval

from msbreg_mm.datasets.check.coco_reading import Add, CocoReading
from msbreg_mm.datasets.check.masks import drawable

_PERFECT = 0.99


def score_perfect(
    note: Callable[[str], None], reading: CocoReading, where: str
) -> None:
    """Predict what the file says and report what is not scored as a hit.

    pycocotools names the annotations; faster-coco-eval, which mmdet's
    ``FasterCocoMetric`` calls, is asked for the number alone.

    Args:
        note: Is told what is looked at.
        reading: The file as mmdet reads it; takes the findings.
        where: Name of the file.
    """

    def add(kind: str, text: str) -> None:
        reading.result.add(kind, where, text)

    if reading.has_masks:
        for info in reading.infos:
            if not drawable(info['height'], info['width']):
                size = f'{info["width"]} x {info["height"]}'
                add('not-scored', f'{info["img_path"]}: no mask fits {size} pixels')
                return
        # faster-coco-eval's C++ looks images up by whole numbers.
        for record in reading.content['annotations']:
            if isinstance(record['image_id'], float):
                text = f'annotation {record["id"]}: image_id {record["image_id"]!r} is'
                add('not-scored', f'{text} no whole number')
                return
    predictions = _predictions(reading)
    if not predictions:
        return
    before = reading.result.count('not-scored')
    for kind in ('bbox', 'segm') if reading.has_masks else ('bbox',):
        note(f'scoring {kind} with pycocotools')
        try:
            _missed(reading, predictions, kind, add)
        except Exception as error:
            text = f'{kind}: {type(error).__name__}: {error}'
            if not _by_image(reading, predictions, kind, add):
                add('not-scored', text)
        note(f'scoring {kind} with faster-coco-eval')
        try:
            value = _faster(reading, predictions, kind)
        except Exception as error:
            text = f'{kind}: faster-coco-eval: {type(error).__name__}: {error}'
            add('not-scored', text)
        else:
            found = reading.result.count('not-scored') > before
            if not value >= _PERFECT and not found:
                text = f'{kind}: perfect predictions score {100 * value:.1f}'
                add('not-scored', text)


def _predictions(reading: CocoReading) -> list[dict[str, Any]]:
    """Turn the reader's instances into results; not those that it ignores."""
    found = []
    for info in reading.infos:
        for item, record in zip(info['instances'], info['raw'], strict=True):
            if item['ignore_flag'] or ('mask' not in item and reading.has_masks):
                continue
            left, top, right, bottom = item['bbox']
            result = {
                'image_id': info['img_id'],
                'category_id': reading.ids[item['bbox_label']],
                'bbox': [left, top, right - left, bottom - top],
                'score': 1.0,
                'of': record['id'],
            }
            if 'mask' in item:
                result['segmentation'] = _encoded(item['mask'], info)
            found.append(result)
    return found


def _encoded(mask: Any, info: dict[str, Any]) -> dict[str, Any]:
    if isinstance(mask, dict) and not isinstance(mask['counts'], list):
        return mask
    code = rle.frPyObjects(mask, info['height'], info['width'])
    return rle.merge(code) if isinstance(mask, list) else code


def _evaluator(
    reading: CocoReading, predictions: list[dict], kind: str, make: Any = COCOeval
) -> Any:
    truth = COCO()
    # The evaluators write into what they are given.
    truth.dataset = copy.deepcopy(reading.content)
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = [dict(result) for result in predictions]
        for result in results:
            result.pop('bbox' if kind == 'segm' else 'segmentation', None)
        judge = make(truth, truth.loadRes(results), kind)
    judge.params.iouThrs = np.array([0.5])
    judge.params.maxDets = [len(predictions)]
    judge.params.areaRng = [[0, 1e10]]
    judge.params.areaRngLbl = ['all']
    judge.params.catIds = list(dict.fromkeys(reading.ids))
    return judge


def _missed(
    reading: CocoReading,
    predictions: list[dict],
    kind: str,
    add: Add,
    image: Any = None,
) -> None:
    judge = _evaluator(reading, predictions, kind)
    if image is not None:
        judge.params.imgIds = [image]
    with contextlib.redirect_stdout(io.StringIO()):
        judge.evaluate()
    for part in judge.evalImgs:
        if part is None:
            continue
        missed = (part['dtMatches'][0] == 0) & ~part['dtIgnore'][0].astype(bool)
        for number in np.array(part['dtIds'])[missed]:
            result = judge.cocoDt.anns[number]
            hint = ': ids begin at 1' if result['of'] == 0 else ''
            text = f'annotation {result["of"]} of image {result["image_id"]}'
            add('not-scored', f'{text}: no hit at IoU 0.5 ({kind}){hint}')


def _by_image(
    reading: CocoReading, predictions: list[dict], kind: str, add: Add
) -> bool:
    """Name the images at which an evaluator stumbles; False if at none alone."""
    names = {info['img_id']: info['img_path'] for info in reading.infos}
    found = False
    for image in list(names)[:_MOST]:
        own = [result for result in predictions if result['image_id'] == image]
        records = reading.content['annotations']
        part = copy.copy(reading)
        part.content = {
            **reading.content,
            'annotations': [r for r in records if r['image_id'] == image],
        }
        try:
            if own:
                _missed(part, own, kind, lambda *_: None, image)
        except Exception as error:
            what = f'no {error.args[0]}' if isinstance(error, KeyError) else error
            text = f'{names[image]}: {type(error).__name__}: {what} ({kind})'
            add('not-scored', text)
            found = True
    return found


_MOST = 200
"""Images that are scored one by one after an error."""


def _faster(reading: CocoReading, predictions: list[dict], kind: str) -> float:
    from faster_coco_eval import COCO as FasterCOCO
    from faster_coco_eval import COCOeval_faster

    truth = FasterCOCO(json.loads(json.dumps(reading.content)))
    results = [dict(result) for result in predictions]
    for result in results:
        result.pop('bbox' if kind == 'segm' else 'segmentation', None)
    judge = COCOeval_faster(truth, truth.loadRes(results), kind, print_function=_quiet)
    judge.params.iouThrs = np.array([0.5])
    judge.params.maxDets = [len(predictions)]
    judge.params.areaRng = [[0, 1e10]]
    judge.params.areaRngLbl = ['all']
    judge.params.catIds = list(dict.fromkeys(reading.ids))
    judge.evaluate()
    judge.accumulate()
    precision = np.asarray(judge.eval['precision'])
    known = precision[precision > -1]
    return float(known.mean()) if known.size else 1.0


def _quiet(*_: Any) -> None:
    pass
