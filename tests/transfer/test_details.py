"""Per-class AP, AP by size and precision-recall against pycocotools."""

import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from synthetic import write_coco, write_suite

from msbreg_mm.transfer.details import Details, read_details


@pytest.fixture
def job(tmp_path):
    ann_file = write_coco(tmp_path / 'data', images=12)
    write_suite(
        tmp_path / 'suite', 't', 'p', ann_file, tmp_path / 'data/images',
        {'random': 0.7}, seeds=(0,),
    )  # fmt: skip
    return tmp_path / 'suite' / 't' / 'random' / 'seed0', ann_file


def reference(ann_file, predictions, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(ann_file))
        results = json.loads(predictions.read_text())
        for result in results:
            if kind == 'segm':
                result.pop('bbox', None)
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_agrees_with_pycocotools(job, kind):
    folder, ann_file = job
    details = read_details(folder)[kind]
    theirs = reference(ann_file, folder / f'predictions.{kind}.json', kind)
    assert np.mean(list(details.per_class.values())) == pytest.approx(
        theirs.stats[0] * 100, abs=0.02
    )
    assert details.by_size['small'] == pytest.approx(theirs.stats[3] * 100, abs=0.02)
    assert 'large' not in details.by_size  # no large objects there
    assert len(details.precision) == 101
    # the mean of precision over recall levels is AP50
    assert np.mean(details.precision) == pytest.approx(theirs.stats[1] * 100, abs=0.02)


def test_is_kept_until_the_predictions_change(job):
    folder, _ = job
    first = read_details(folder)
    (folder / '20250101_000000/vis_data/config.json').unlink()
    assert read_details(folder) == first
    for kind in ('bbox', 'segm'):
        (folder / f'predictions.{kind}.json').write_text('[]')
    with pytest.raises(FileNotFoundError, match=r'no file .*config\.json'):
        read_details(folder)


def test_nothing_detected_and_nothing_kept(job):
    folder, _ = job
    (folder / 'predictions.segm.json').write_text('[]')
    assert read_details(folder)['segm'] == Details()
    for kind in ('bbox', 'segm'):
        (folder / f'predictions.{kind}.json').unlink()
    assert read_details(folder) == {}


def test_missing_annotations_are_named(job):
    folder, ann_file = job
    ann_file.unlink()
    with pytest.raises(FileNotFoundError, match=r'no annotation file .*val\.json'):
        read_details(folder)
