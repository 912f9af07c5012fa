"""VOC detection and semantic segmentation: by class, pictures, damage."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from msbreg_mm.evaluation.detection_metrics import ExactVOCMetric
from msbreg_mm.transfer.details import read_details
from msbreg_mm.transfer.predictions import compare_predictions
from msbreg_mm.transfer.segmentations import compare_segmentations
from msbreg_mm.utils.errors import DamagedFileError


def write_image(path):
    pixels = np.random.default_rng(0).integers(0, 60, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def pixels_of(picture):
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(picture.url.split(',')[1])))
    )


@pytest.fixture
def segmented(tmp_path):
    """One image, class 1 on the left; a job that is right and one that is wrong."""
    pytest.importorskip('mmseg')
    from msbreg_mm.evaluation.segmentation_metric import KeptIoUMetric

    path = write_image(tmp_path / 'a.png')
    truth = torch.zeros(1, 40, 60, dtype=torch.int64)
    truth[..., :30] = 1
    truth[..., 0, :] = 255
    folders = {}
    for name, guess in (
        ('right', truth.clamp(max=1)),
        ('wrong', 1 - truth.clamp(max=1)),
    ):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        metric = KeptIoUMetric(outfile_prefix=str(folders[name] / 'predictions'))
        metric.dataset_meta = {'classes': ('ground', 'nucleus')}
        sample = {'gt_sem_seg': {'data': truth}, 'pred_sem_seg': {'data': guess}}
        metric.process({}, [{'img_path': path, **sample}])
        metric.evaluate(1)
    return folders


def test_segmentation_by_class_and_in_pictures(segmented):
    assert read_details(segmented['right'])['pixels'].per_class == {
        'ground': 100, 'nucleus': 100
    }  # fmt: skip
    assert read_details(segmented['wrong'])['pixels'].per_class['nucleus'] == 0
    ((truth, right, wrong),) = compare_segmentations(segmented)
    assert [truth.title, right.title, wrong.title] == ['ground truth', 'right', 'wrong']
    assert truth.caption == '2 classes'
    assert right.caption == '100 % of pixels right'
    assert wrong.caption == '0 % of pixels right'
    left, other = np.split(pixels_of(truth)[20:].astype(float).mean(2), 2, axis=1)
    assert left.mean() > other.mean() + 20  # the colour of class 1
    left, other = np.split(pixels_of(wrong)[20:].astype(float).mean(2), 2, axis=1)
    assert other.mean() > left.mean() + 20


def test_damaged_maps_are_named(segmented):
    file = segmented['right'] / 'segmentations.npz'
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DamagedFileError, match=r'segmentations\.npz holds no segment'):
        compare_segmentations(segmented)


def test_voc_by_class_and_in_pictures(tmp_path):
    metric = ExactVOCMetric(
        iou_thrs=[0.5], eval_mode='area', outfile_prefix=str(tmp_path / 'predictions')
    )
    metric.dataset_meta = {'classes': ('cat', 'dog'), 'dataset_type': 'VOC'}
    boxes = torch.tensor([[5.0, 5, 25, 25], [30, 10, 50, 30]])
    none = {'bboxes': torch.zeros(0, 4), 'labels': torch.zeros(0, dtype=torch.int64)}
    found = {'bboxes': boxes, 'labels': torch.tensor([0, 0]), 'scores': torch.ones(2)}
    objects = {'bboxes': boxes, 'labels': torch.tensor([0, 1])}
    sample = {'gt_instances': objects, 'ignored_instances': none}
    sample |= {'pred_instances': found, 'img_path': write_image(tmp_path / 'a.png')}
    metric.process({}, [sample])
    metric.evaluate(1)
    assert read_details(tmp_path)['bbox'].per_class == {'cat': 100, 'dog': 0}
    ((truth, drawn),) = compare_predictions({'job': tmp_path})
    assert (truth.caption, drawn.caption) == ('2 objects', '2 objects')
