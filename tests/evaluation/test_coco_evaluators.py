"""faster-coco-eval, the default, must give pycocotools' numbers."""

import copy
import json

import faster_coco_eval
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
import torch
from pycocotools import mask as rle


def jittered_predictions(coco, rng, per_object=2):
    """Boxes and masks near the real ones; some labels wrong, scores with ties."""
    categories = coco.getCatIds()
    predictions = []
    for annotation in coco.dataset['annotations']:
        image = coco.imgs[annotation['image_id']]
        mask = coco.annToMask(annotation)
        x, y, width, height = annotation['bbox']
        for _ in range(rng.integers(per_object + 1)):
            shift = np.round(rng.normal(scale=0.08, size=2) * (width, height))
            moved = np.roll(mask, shift.astype(int)[::-1], axis=(0, 1))
            code = rle.encode(np.asfortranarray(moved))
            code['counts'] = code['counts'].decode()
            scale = np.exp(rng.normal(scale=0.1, size=2))
            box = [x + shift[0], y + shift[1], width * scale[0], height * scale[1]]
            label = annotation['category_id']
            if rng.random() < 0.15:
                label = int(rng.choice(categories))
            predictions.append(
                {
                    'image_id': image['id'],
                    'category_id': label,
                    'bbox': [float(value) for value in box],
                    'segmentation': code,
                    # One decimal: many ties, whose order must not matter.
                    'score': float(np.round(rng.beta(2, 1), 1 + rng.integers(5))),
                }
            )
    return predictions


@pytest.fixture(scope='module')
def ground_truth(shared_data):
    return shared_data / 'coco_free/annotations_coco/instances_val.json'


@pytest.fixture(scope='module')
def predictions(ground_truth):
    coco = pycocotools.coco.COCO(str(ground_truth))
    return jittered_predictions(coco, np.random.default_rng(0))


def evaluate(coco_class, evaluator_class, ground_truth, predictions, iou_type):
    coco = coco_class(str(ground_truth))
    results = copy.deepcopy(predictions)
    if iou_type == 'segm':
        # With boxes present both would take the box's area as the object's.
        for result in results:
            del result['bbox']
    evaluator = evaluator_class(coco, coco.loadRes(results), iou_type)
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return np.array(evaluator.stats[:12]), evaluator.eval['precision']


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_equal_statistics_and_precision_curves(ground_truth, predictions, iou_type):
    slow, slow_curves = evaluate(
        pycocotools.coco.COCO,
        pycocotools.cocoeval.COCOeval,
        ground_truth,
        predictions,
        iou_type,
    )
    fast, fast_curves = evaluate(
        faster_coco_eval.COCO,
        faster_coco_eval.COCOeval_faster,
        ground_truth,
        predictions,
        iou_type,
    )
    # The predictions are neither perfect nor useless: all twelve numbers say much.
    assert 0.2 < slow[0] < 0.9
    assert (slow > 0).all()
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)
    # IoU x recall x class x area x detections
    np.testing.assert_allclose(fast_curves, slow_curves, rtol=0, atol=1e-12)


def test_equal_metrics_of_mmdet(ground_truth, predictions):
    from mmdet.evaluation import CocoMetric, FasterCocoMetric

    content = json.loads(ground_truth.read_text())
    classes = tuple(category['name'] for category in content['categories'])
    labels = {c['id']: index for index, c in enumerate(content['categories'])}
    samples = []
    for image in content['images']:
        mine = [p for p in predictions if p['image_id'] == image['id']]
        boxes = torch.tensor([p['bbox'] for p in mine]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found = {
            'bboxes': boxes,
            'scores': torch.tensor([p['score'] for p in mine]),
            'labels': torch.tensor([labels[p['category_id']] for p in mine]),
            'masks': [p['segmentation'] for p in mine],
        }
        samples.append(
            {
                'img_id': image['id'],
                'ori_shape': (image['height'], image['width']),
                'pred_instances': found,
            }
        )
    outcomes = []
    for metric_class in (CocoMetric, FasterCocoMetric):
        metric = metric_class(
            ann_file=str(ground_truth), metric=['bbox', 'segm'], classwise=True
        )
        metric.dataset_meta = {'classes': classes}
        metric.process({}, copy.deepcopy(samples))
        outcomes.append(metric.evaluate(len(samples)))
    slow, fast = outcomes
    assert slow.keys() == fast.keys()
    assert slow['coco/segm_mAP'] > 0.2
    for key, value in slow.items():
        assert fast[key] == pytest.approx(value, abs=1e-9, nan_ok=True), key
