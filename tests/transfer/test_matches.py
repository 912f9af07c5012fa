"""Matched detections score as COCO's evaluator does, also when images repeat."""

import copy
import json

import numpy as np
import pytest
from synthetic import write_coco, write_suite
from test_details import reference

from msbreg_mm.transfer.details import ValidationSet
from msbreg_mm.transfer.matches import match_detections


@pytest.fixture(scope='module')
def job(tmp_path_factory):
    root = tmp_path_factory.mktemp('matches')
    ann_file = write_coco(root / 'data', images=14)
    truth = json.loads(ann_file.read_text())
    truth['annotations'][3]['iscrowd'] = 1
    ann_file.write_text(json.dumps(truth))
    write_suite(
        root / 'suite', 't', 'p', ann_file, root / 'data/images', {'random': 0.7},
        seeds=(0,),
    )  # fmt: skip
    folder = root / 'suite' / 't' / 'random' / 'seed0'
    file = folder / 'predictions.bbox.json'
    results = json.loads(file.read_text())
    rng = np.random.default_rng(0)
    for result in list(results[::2]):  # seconds, and wrong ones
        other = {**result, 'score': float(rng.random())}
        other['category_id'] = int(rng.integers(1, 3))
        results.append(other)
    file.write_text(json.dumps(results))
    return folder, ann_file


def repeat(content, predictions, counts):
    """The data set in which image i stands counts[i] times."""
    images, annotations, results = [], [], []
    for image, count in zip(content['images'], counts, strict=True):
        for copied in range(count):
            number = 1000 * copied + image['id']
            images.append({**image, 'id': number})
            for item in content['annotations']:
                if item['image_id'] == image['id']:
                    new = {'id': len(annotations) + 1, 'image_id': number}
                    annotations.append({**copy.deepcopy(item), **new})
            for item in predictions:
                if item['image_id'] == image['id']:
                    results.append({**copy.deepcopy(item), 'image_id': number})
    return {**content, 'images': images, 'annotations': annotations}, results


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_equals_pycocotools_also_with_repeated_images(job, kind, tmp_path):
    folder, ann_file = job
    file = folder / f'predictions.{kind}.json'
    found = match_detections(ValidationSet(ann_file, ann_file, None), file, kind)
    counts = np.random.default_rng(3).multinomial(14, [1 / 14] * 14)
    scored = found.score(np.stack([np.ones(14), counts]))
    keys = [f'coco/{kind}_mAP', f'coco/{kind}_mAP_50', f'coco/{kind}_mAP_75']
    once = reference(ann_file, file, kind)
    assert [scored[key][0] for key in keys] == pytest.approx(once.stats[:3])
    content, results = repeat(
        json.loads(ann_file.read_text()), json.loads(file.read_text()), counts
    )
    (tmp_path / 'val.json').write_text(json.dumps(content))
    (tmp_path / 'predictions.json').write_text(json.dumps(results))
    again = reference(tmp_path / 'val.json', tmp_path / 'predictions.json', kind)
    assert [scored[key][1] for key in keys] == pytest.approx(again.stats[:3])


def test_nothing_detected_is_zero(job, tmp_path):
    _, ann_file = job
    (tmp_path / 'none.json').write_text('[]')
    data = ValidationSet(ann_file, ann_file, None)
    found = match_detections(data, tmp_path / 'none.json', 'bbox')
    assert found.score(np.ones((1, 14)))['coco/bbox_mAP'].tolist() == [0]
    assert found.per_class() == {'disc': 0, 'square': 0}
