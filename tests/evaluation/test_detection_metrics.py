"""COCO's and VOC's AP, equal to their own evaluators' without rounding."""

import copy
import json

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
import torch
from test_coco_evaluators import jittered_predictions

from msbreg_mm.evaluation.detection_metrics import ExactCocoMetric, ExactVOCMetric

NAMES = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


@pytest.fixture(scope='module')
def coco(shared_data):
    path = shared_data / 'coco_free/annotations_coco/instances_val.json'
    return path, pycocotools.coco.COCO(str(path))


@pytest.fixture(scope='module')
def predictions(coco):
    return jittered_predictions(coco[1], np.random.default_rng(0))


def samples_of(content, predictions):
    """What a detector hands to the metric."""
    labels = {c['id']: index for index, c in enumerate(content['categories'])}
    for image in content['images']:
        mine = [p for p in predictions if p['image_id'] == image['id']]
        boxes = torch.tensor([p['bbox'] for p in mine], dtype=torch.float64)
        boxes = boxes.reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        yield {
            'img_id': image['id'],
            'ori_shape': (image['height'], image['width']),
            'pred_instances': {
                'bboxes': boxes,
                'scores': torch.tensor([p['score'] for p in mine], dtype=torch.float64),
                'labels': torch.tensor([labels[p['category_id']] for p in mine]),
                'masks': [p['segmentation'] for p in mine],
            },
        }


def score(path, predictions, **options):
    content = json.loads(path.read_text())
    metric = ExactCocoMetric(ann_file=str(path), **options)
    names = tuple(category['name'] for category in content['categories'])
    metric.dataset_meta = {'classes': names}
    samples = list(samples_of(content, predictions))
    metric.process({}, copy.deepcopy(samples))
    return metric.evaluate(len(samples))


def official(coco, predictions, kind):
    results = copy.deepcopy(predictions)
    for result in results:
        # The detector's boxes are corners; the way there and back rounds.
        x, y, width, height = result['bbox']
        result['bbox'] = [x, y, (x + width) - x, (y + height) - y]
        if kind == 'segm':
            del result['bbox']
    evaluator = pycocotools.cocoeval.COCOeval(coco, coco.loadRes(results), kind)
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return evaluator


def test_equals_pycocotools_to_the_last_digit(coco, predictions):
    path, truth = coco
    found = score(path, predictions, metric=['bbox', 'segm'])
    for kind in ('bbox', 'segm'):
        stats = official(truth, predictions, kind).stats
        assert any(value != round(value, 3) for value in stats[:6])
        for name, value in zip(NAMES, stats[:6], strict=True):
            assert found[f'coco/{kind}_{name}'] == pytest.approx(value, abs=1e-12)


def test_per_class(coco, predictions):
    path, truth = coco
    found = score(path, predictions, metric='bbox', classwise=True)
    curves = official(truth, predictions, 'bbox').eval['precision']
    for index, category in enumerate(truth.loadCats(truth.getCatIds())):
        known = curves[:, :, index, 0, -1]
        known = known[known > -1]
        value = known.mean() if known.size else float('nan')
        key = f'coco/{category["name"]}_precision'
        assert found[key] == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_nothing_found_and_unknown_metric(coco):
    assert score(coco[0], [], metric='bbox') == {}
    with pytest.raises(ValueError, match="must be 'bbox' or 'segm', got"):
        ExactCocoMetric(metric='proposal')
    with pytest.raises(ValueError, match='metric_items must be among'):
        ExactCocoMetric(metric='bbox', metric_items=['AR'])


def devkit_ap(images, label, threshold):
    """VOC's rule, written down from the devkit: pixels from 1, both ends inside."""
    found = [
        (score, index, box)
        for index, image in enumerate(images)
        for box, name, score in image['found']
        if name == label
    ]
    used, hits = set(), []
    total = sum(
        name == label and not hard for image in images for _, name, hard in image['gt']
    )
    for _, index, box in sorted(found, key=lambda item: -item[0]):
        best, which = 0.0, None
        for number, (other, name, _) in enumerate(images[index]['gt']):
            if name == label:
                wide = min(box[2], other[2]) - max(box[0], other[0]) + 1
                high = min(box[3], other[3]) - max(box[1], other[1]) + 1
                both = max(wide, 0) * max(high, 0)
                areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
                if (overlap := both / (sum(areas) - both)) > best:
                    best, which = overlap, number
        if best >= threshold and images[index]['gt'][which][2]:
            continue  # difficult: neither right nor wrong
        right = best >= threshold and (index, which) not in used
        used |= {(index, which)} if right else set()
        hits.append(right)
    right = np.cumsum(hits)
    recall, precision = right / total, right / np.arange(1, len(hits) + 1)
    tenths = [precision[recall >= t] for t in np.arange(0, 1.1, 0.1)]
    return np.mean([part.max() if part.size else 0 for part in tenths])


@pytest.fixture(scope='module')
def voc_images():
    """Boxes in the annotations' pixels, detections near them, a third difficult."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(30):
        corners = rng.integers(1, 80, (4, 2))
        sizes = rng.integers(10, 60, (4, 2))
        truth = [
            ((*c, *(c + s)), int(rng.integers(2)), bool(rng.random() < 0.3))
            for c, s in zip(corners, sizes, strict=True)
        ]
        shifted = [
            (tuple(np.array(box) + rng.integers(-4, 5, 4)), name, rng.random())
            for box, name, _ in truth
            for _ in range(2)
        ]
        images.append({'gt': truth, 'found': shifted})
    return images


@pytest.mark.parametrize('legacy', [False, True])
def test_equals_the_devkit(voc_images, legacy):
    """Both ways to hold a box have the devkit's areas."""
    first, last = (-1, -1) if legacy else (-1, 0)
    move = np.array([first, first, last, last])
    metric = ExactVOCMetric(
        legacy_boxes=legacy, iou_thrs=[0.5, 0.75], eval_mode='11points'
    )
    metric.dataset_meta = {'classes': ('a', 'b'), 'dataset_type': 'VOC2007'}

    def pack(rows):
        return {
            'bboxes': torch.tensor(np.array([r[0] for r in rows]).reshape(-1, 4) + move)
            .double(),
            'labels': torch.tensor([r[1] for r in rows], dtype=torch.long),
        }  # fmt: skip

    samples = []
    for image in voc_images:
        found = pack(image['found'])
        found['scores'] = torch.tensor([row[2] for row in image['found']]).double()
        samples.append(
            {
                'gt_instances': pack([row for row in image['gt'] if not row[2]]),
                'ignored_instances': pack([row for row in image['gt'] if row[2]]),
                'pred_instances': found,
            }
        )
    metric.process({}, samples)
    values = metric.evaluate(len(samples))
    for threshold in (0.5, 0.75):
        expected = np.mean([devkit_ap(voc_images, k, threshold) for k in (0, 1)])
        assert 0.1 < expected < 0.95
        key = f'pascal_voc/AP{round(100 * threshold)}'
        assert values[key] == pytest.approx(expected, abs=1e-6)
    assert values['pascal_voc/mAP'] == pytest.approx(
        (values['pascal_voc/AP50'] + values['pascal_voc/AP75']) / 2
    )


def test_voc_metric_knows_no_recall():
    with pytest.raises(ValueError, match="must be 'mAP', got 'recall'"):
        ExactVOCMetric(metric='recall')
