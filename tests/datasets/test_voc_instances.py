import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from msbreg_mm.datasets.voc_instances import voc_instances


def convert(root, split, output, **options):
    return voc_instances(root, split, output, progress=False, **options)


def make_voc(root, boxes, indices, name='dog', size=None):
    """One image with 1-based inclusive boxes and an index image."""
    for folder in ('Annotations', 'JPEGImages', 'SegmentationObject'):
        (root / folder).mkdir(parents=True)
    (root / 'ImageSets/Segmentation').mkdir(parents=True)
    (root / 'ImageSets/Segmentation/train.txt').write_text('a\n')
    height, width = indices.shape
    width, height = size or (width, height)
    objects = ''.join(
        f'<object><name>{name}</name><difficult>{int(number == 1)}</difficult><bndbox>'
        f'<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>'
        '</bndbox></object>'
        for number, (x0, y0, x1, y1) in enumerate(boxes)
    )
    (root / 'Annotations/a.xml').write_text(
        f'<annotation><size><width>{width}</width><height>{height}</height></size>'
        f'{objects}</annotation>'
    )
    Image.fromarray(indices).save(root / 'SegmentationObject/a.png')
    Image.new('RGB', (indices.shape[1], indices.shape[0])).save(
        root / 'JPEGImages/a.jpg'
    )
    return root


@pytest.fixture
def indices():
    """Two objects with a void border between them, VOC2012's way."""
    pixels = np.zeros((6, 8), np.uint8)
    pixels[1:4, 1:4] = 1
    pixels[1:4, 4] = 255
    pixels[2:6, 5:8] = 2
    return pixels


BOXES = [(2, 2, 5, 4), (5, 3, 8, 6)]


def test_hand_made_image(tmp_path, indices):
    root = make_voc(tmp_path / 'voc', BOXES, indices)
    summary = convert(root, 'train', tmp_path / 'new' / 'out.json')
    assert (summary.num_images, summary.num_instances) == (1, 2)
    content = json.loads(summary.output.read_text())
    assert content['images'] == [
        {'id': 1, 'file_name': 'a.jpg', 'width': 8, 'height': 6}
    ]
    first, second = content['annotations']
    assert first['bbox'] == [1, 1, 4, 3]
    assert second['bbox'] == [4, 2, 4, 4]
    assert (first['area'], second['area']) == (9, 12)
    assert (first['iscrowd'], second['iscrowd']) == (0, 1)
    assert first['category_id'] == second['category_id'] == 12
    assert content['categories'][11]['name'] == 'dog'
    for number, record in enumerate((first, second), start=1):
        assert np.array_equal(rle.decode(record['segmentation']), indices == number)


def test_boxes_of_the_masks(tmp_path, indices):
    root = make_voc(tmp_path / 'voc', BOXES, indices)
    output = convert(root, 'train', tmp_path / 'out.json', boxes='mask').output
    boxes = [note['bbox'] for note in json.loads(output.read_text())['annotations']]
    assert boxes == [[1, 1, 3, 3], [5, 2, 3, 4]]


def test_object_without_pixels_is_counted_not_written(tmp_path, indices):
    root = make_voc(tmp_path / 'voc', [*BOXES, (1, 1, 2, 2)], indices)
    summary = convert(root, 'train', tmp_path / 'out.json')
    assert summary.num_instances == 2
    assert summary.num_without_pixels == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda pixels: (BOXES[:1], pixels, {}), r'the index 2, but .* only 1 objects'),
        (
            lambda pixels: ([(7, 1, 8, 2), BOXES[1]], pixels, {}),
            r'pixels 1 of SegmentationObject lie outside .* object 1 \(dog\)',
        ),
        (lambda pixels: (BOXES, pixels, {'size': (9, 6)}), '8 x 6, its XML says 9 x 6'),
        (lambda pixels: (BOXES, pixels, {'name': 'cow9'}), "'cow9', which is not"),
        (
            lambda pixels: (BOXES, np.stack([pixels] * 3, axis=2), {'size': (8, 6)}),
            r'one 8-bit index per pixel .* got mode RGB',
        ),
    ],
)
def test_faults_are_named_and_nothing_is_written(tmp_path, indices, change, message):
    boxes, pixels, options = change(indices)
    if pixels.ndim == 3:
        root = make_voc(tmp_path / 'voc', boxes, indices, **options)
        Image.fromarray(pixels).save(root / 'SegmentationObject/a.png')
    else:
        root = make_voc(tmp_path / 'voc', boxes, pixels, **options)
    with pytest.raises(ValueError, match=message):
        convert(root, 'train', tmp_path / 'out' / 'out.json')
    assert not (tmp_path / 'out').exists()


def test_missing_files_are_named(tmp_path, indices):
    root = make_voc(tmp_path / 'voc', BOXES, indices)
    with pytest.raises(FileNotFoundError, match=r'val\.txt.*has train'):
        convert(root, 'val', tmp_path / 'out.json')
    (root / 'JPEGImages/a.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'no image of a in .*JPEGImages'):
        convert(root, 'train', tmp_path / 'out.json')
    (root / 'SegmentationObject/a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'no instance mask .*a\.png'):
        convert(root, 'train', tmp_path / 'out.json')
    with pytest.raises(ValueError, match="'xml' or 'mask', got 'no'"):
        convert(root, 'train', tmp_path / 'out.json', boxes='no')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_generated_shapes_come_back_exactly(small_shapes, tmp_path, split):
    output = convert(small_shapes, split, tmp_path / 'out.json').output
    found = json.loads(output.read_text())
    exact = json.loads((small_shapes / f'annotations/{split}.json').read_text())
    assert len(found['annotations']) == len(exact['annotations'])
    for one, two in zip(found['annotations'], exact['annotations'], strict=True):
        for key in ('bbox', 'area', 'segmentation', 'category_id', 'iscrowd'):
            assert one[key] == two[key]
    names = [[c['name'] for c in d['categories']] for d in (found, exact)]
    assert names[0] == names[1]


@pytest.mark.parametrize('split', ['train', 'val'])
def test_nuclei_against_their_exact_masks(shared_data, tmp_path, split):
    root = shared_data / 'nuclei_dsb2018'
    output = convert(root, split, tmp_path / 'out.json').output
    found = COCO(str(output))
    exact = COCO(str(root / f'annotations_coco/instances_{split}.json'))
    images = {image['file_name']: key for key, image in exact.imgs.items()}
    equal = total = 0
    for key, image in found.imgs.items():
        records = found.imgToAnns[key], exact.imgToAnns[images[image['file_name']]]
        for one, two in zip(*records, strict=True):
            codes = one['segmentation'], two['segmentation']
            overlap = rle.iou([codes[0]], [codes[1]], [0])[0, 0]
            # The index image can hold only one of two masks that overlap.
            assert overlap > 0.75
            assert one['bbox'] == pytest.approx(two['bbox'])
            equal += overlap == 1
            total += 1
    assert equal / total > 0.95
