"""What images contributed gives the evaluators' values, also when images repeat."""

import numpy as np
import pytest
import torch

from msbreg_mm.evaluation.detection_metrics import ExactVOCMetric
from msbreg_mm.evaluation.outcomes import (
    OUTCOMES,
    Detections,
    Hits,
    Pixels,
    load_outcomes,
    make_hits,
)
from msbreg_mm.evaluation.scores import mean_class_accuracy
from msbreg_mm.utils.errors import DamagedFileError

IOUS = [0.5, 0.75]


def ones(outcomes):
    return np.ones((1, len(outcomes.images)))


def values(outcomes, weights=None):
    found = outcomes.score(ones(outcomes) if weights is None else weights)
    return {key: value[0] for key, value in found.items()}


def voc_samples(rng, images=12, classes=3):
    """Objects, some difficult, and detections near them or anywhere."""
    samples = []
    for index in range(images):
        corner = rng.uniform(0, 60, (5, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(15, 40, (5, 2))], axis=1)
        labels = rng.integers(0, classes, 5)
        hard = rng.random(5) < 0.3
        near = boxes + rng.normal(0, 2.5, boxes.shape)
        found = np.concatenate([near, near[:3], rng.uniform(0, 50, (3, 4))])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 5)
        guessed = np.concatenate([labels, labels[:3], rng.integers(0, classes, 3)])
        tensor = torch.from_numpy
        samples.append(
            {
                'img_path': f'{index}.jpg',
                'gt_instances': {
                    'bboxes': tensor(boxes[~hard]), 'labels': tensor(labels[~hard])
                },
                'ignored_instances': {
                    'bboxes': tensor(boxes[hard]), 'labels': tensor(labels[hard])
                },
                'pred_instances': {
                    'bboxes': tensor(found), 'labels': tensor(guessed),
                    'scores': tensor(rng.random(len(found))),
                },
            }
        )  # fmt: skip
    return samples


def voc_metric(samples, mode='area', legacy=False, prefix=None):
    metric = ExactVOCMetric(
        legacy_boxes=legacy, iou_thrs=IOUS, eval_mode=mode, outfile_prefix=prefix
    )
    metric.dataset_meta = {'classes': ('a', 'b', 'c'), 'dataset_type': 'VOC'}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('mode', ['area', '11points'])
def test_voc_equals_its_evaluator_also_with_repeated_images(mode, legacy, tmp_path):
    rng = np.random.default_rng(0)
    samples = voc_samples(rng)
    expected = voc_metric(samples, mode, legacy, str(tmp_path / 'predictions'))
    outcomes = load_outcomes(tmp_path / OUTCOMES)
    assert isinstance(outcomes, Detections)
    # mmdet's precision and recall are float32.
    assert values(outcomes) == pytest.approx(expected, abs=1e-6)
    by_class = outcomes.per_class()
    assert np.mean(list(by_class.values())) == pytest.approx(
        100 * expected['pascal_voc/mAP'], abs=1e-4
    )
    counts = rng.multinomial(12, [1 / 12] * 12)
    repeated = [samples[i] for i in np.repeat(np.arange(12), counts)]
    again = voc_metric(repeated, mode, legacy)
    assert values(outcomes, counts[None]) == pytest.approx(again, abs=1e-6)


def test_voc_writes_what_the_pages_pictures_need(tmp_path):
    import json

    samples = voc_samples(np.random.default_rng(1), images=2)
    voc_metric(samples, prefix=str(tmp_path / 'predictions'))
    truth = json.loads((tmp_path / 'predictions.truth.json').read_text())
    assert [image['file_name'] for image in truth['images']] == ['0.jpg', '1.jpg']
    assert len(truth['annotations']) == 10
    hard = sum(len(sample['ignored_instances']['labels']) for sample in samples)
    assert sum(item['iscrowd'] for item in truth['annotations']) == hard
    assert len(json.loads((tmp_path / 'predictions.bbox.json').read_text())) == 22


def test_pixels_equal_mmsegs_metric(tmp_path):
    pytest.importorskip('mmseg')
    from mmseg.evaluation.metrics import IoUMetric

    from msbreg_mm.evaluation.segmentation_metric import KeptIoUMetric

    rng = np.random.default_rng(0)
    samples = []
    for index in range(5):
        truth = torch.from_numpy(rng.integers(0, 3, (1, 9, 8)))
        truth[0, 0] = 255
        wrong = torch.from_numpy(rng.random((1, 9, 8)) < 0.3)
        guess = torch.where(wrong, torch.randint(0, 4, truth.shape), truth.clamp(max=3))
        samples.append(
            {'img_path': f'{index}.png', 'gt_sem_seg': {'data': truth},
             'pred_sem_seg': {'data': guess}}
        )  # fmt: skip
    found = []
    for cls, options in (
        (IoUMetric, {}),
        (KeptIoUMetric, {'outfile_prefix': str(tmp_path / 'predictions')}),
    ):
        metric = cls(iou_metrics=['mIoU'], **options)
        metric.dataset_meta = {'classes': ('a', 'b', 'c', 'd')}
        metric.process({}, samples[:3])
        metric.process({}, samples[3:])
        found.append(metric.evaluate(5))
    assert found[0] == found[1]
    outcomes = load_outcomes(tmp_path / OUTCOMES)
    assert isinstance(outcomes, Pixels)
    assert values(outcomes) == pytest.approx(found[0], abs=0.0051)  # rounded there
    assert list(outcomes.per_class()) == ['a', 'b', 'c', 'd']
    with np.load(tmp_path / 'segmentations.npz') as maps:
        assert maps['paths'].tolist() == [f'{i}.png' for i in range(4)]
        np.testing.assert_array_equal(
            maps['truth1'], samples[1]['gt_sem_seg']['data'][0]
        )


def test_hits_by_image_and_by_class():
    labels = np.array([0, 0, 0, 1, 1, 2])
    guess = np.array([0, 0, 1, 1, 0, 2])
    right = guess == labels
    hits = make_hits(labels, {'top1': right, 'mean': right}, ['mean'])
    assert values(hits) == pytest.approx(
        {'top1': 100 * right.mean(), 'mean': mean_class_accuracy(guess, labels)}
    )
    # Without an image of class 2, and with the first one twice.
    weights = np.array([[2, 1, 1, 1, 1, 0]])
    assert values(hits, weights)['mean'] == pytest.approx((75 + 50) / 2)


def test_damaged_files_are_named(tmp_path):
    hits = make_hits(np.array([0, 1]), {'top1': np.array([True, False])})
    hits.save(tmp_path / OUTCOMES)
    again = load_outcomes(tmp_path / OUTCOMES)
    assert isinstance(again, Hits)
    assert values(again) == {'top1': 50}
    (tmp_path / 'cut.npz').write_bytes((tmp_path / OUTCOMES).read_bytes()[:-40])
    np.savez(tmp_path / 'other.npz', kind=np.array('hits'), images=np.arange(3))
    np.savez(tmp_path / 'pickled.npz', kind=np.array([object()], dtype=object))
    for name in ('cut.npz', 'other.npz', 'pickled.npz', 'absent.npz'):
        with pytest.raises(DamagedFileError, match=f'{name} holds no outcomes'):
            load_outcomes(tmp_path / name)


def test_accuracy_of_a_classifier_equals_mmpretrains_metrics(tmp_path):
    from mmpretrain.evaluation import SingleLabelMetric

    from msbreg_mm.evaluation.accuracy_metric import KeptAccuracy

    rng = np.random.default_rng(0)
    samples = [
        {
            'pred_score': torch.from_numpy(rng.random(4)),
            'gt_label': torch.tensor([c % 4]),
        }
        for c in range(30)
    ]
    found = {}
    for metric in (
        KeptAccuracy(topk=(1, 2), outfile_prefix=str(tmp_path / 'predictions')),
        SingleLabelMetric(items=['recall']),
    ):
        metric.process({}, samples)
        found |= metric.evaluate(32)
    kept = values(load_outcomes(tmp_path / OUTCOMES))
    assert set(kept) == {'accuracy/top1', 'single-label/recall'}
    assert kept == pytest.approx({key: found[key] for key in kept}, abs=1e-4)
