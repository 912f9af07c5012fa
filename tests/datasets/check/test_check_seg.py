import os

import numpy as np
import pytest
from fake_seg_data import write_cityscapes, write_voc_seg
from PIL import Image

from msbreg_mm.datasets.check import check_dataset

VOC_MASK = 'SegmentationClass/train_0.png'
CITY_MASK = 'gtFine/train/ulm/ulm_000000_000019_gtFine_labelTrainIds.png'


def check(root, layout='seg'):
    return check_dataset(root, layout, progress=False, max_examples=9)


def repaint(path, change):
    Image.fromarray(change(np.array(Image.open(path)))).save(path)


@pytest.mark.parametrize('layout', ['seg', 'auto'])
@pytest.mark.parametrize('write', [write_voc_seg, write_cityscapes])
def test_clean_set(write, layout, tmp_path):
    result = check(write(tmp_path), layout)
    assert (result.findings, result.layouts) == ({}, ['seg'])
    splits = ['aug.txt', 'train.txt', 'val.txt']
    splits = ['train', 'val'] if write is write_cityscapes else splits
    assert list(result.splits) == [f'masks of {split}' for split in splits]
    # background and one class per image
    counts = result.splits['masks of ' + splits[-1]]
    assert counts == {'images': 2, 'classes': 3}


FAULTS = {
    'no mask': (lambda p: p.unlink(), 'missing-annotation', '{path}'),
    'other size': (
        lambda p: repaint(p, lambda mask: mask[:32]),
        'malformed-mask',
        '{name}: {width} x 32, the image has {width} x {height}',
    ),
    'unknown class': (
        lambda p: repaint(p, lambda mask: np.where(mask == 0, 77, mask)),
        'unknown-category',
        '{name}: indices [77], expected 0 to {last} or 255',
    ),
    'colours': (
        lambda p: repaint(p, lambda mask: np.stack([mask] * 3, axis=2)),
        'malformed-mask',
        '{name}: mode RGB; 8-bit class indices expected',
    ),
    'truncated': (
        lambda p: p.write_bytes(p.read_bytes()[:60]),
        'malformed-mask',
        '{name}: ',
    ),
    '16 bits': (
        lambda p: repaint(p, lambda mask: mask.astype(np.uint16) + 256),
        'malformed-mask',
        'lowest 8 bits',
    ),
    'pipe': (
        lambda p: (p.unlink(), os.mkfifo(p)),
        'malformed-mask',
        'a pipe',
    ),
    'text': (lambda p: p.write_text('no'), 'malformed-mask', 'not an image'),
}


@pytest.mark.parametrize('name', FAULTS)
@pytest.mark.parametrize('write', [write_voc_seg, write_cityscapes])
def test_planted_fault(name, write, tmp_path):
    plant, kind, example = FAULTS[name]
    voc = write is write_voc_seg
    path = write(tmp_path) / (VOC_MASK if voc else CITY_MASK)
    plant(path)
    result = check(tmp_path)
    (finding,) = result.findings.values()
    assert (finding.kind, finding.count) == (kind, 1)
    width, height = (96, 72) if voc else (128, 64)
    expected = example.format(
        path=path, name=path.name, width=width, height=height, last=20 if voc else 18
    )
    assert expected in finding.examples[0]
    assert result.exit_code == 1


def test_label_ids_are_not_the_training_ids(tmp_path):
    path = write_cityscapes(tmp_path) / CITY_MASK
    path.rename(path.with_name(path.name.replace('labelTrainIds', 'labelIds')))
    (finding,) = check(tmp_path).findings.values()
    assert 'csCreateTrainIdLabelImgs' in finding.examples[0]


def test_missing_image_and_overlapping_lists(tmp_path):
    write_voc_seg(tmp_path)
    lists = tmp_path / 'ImageSets/Segmentation'
    (lists / 'trainval.txt').write_text('train_0\nval_0\n')
    (tmp_path / 'JPEGImages/train_0.jpg').unlink()
    (finding,) = check(tmp_path).findings.values()
    assert (finding.kind, finding.count) == ('missing-image', 1)


def test_masks_of_sbd(tmp_path):
    """The list of SBD takes SBD's masks, the others VOC's."""
    write_voc_seg(tmp_path)
    both = tmp_path / 'SegmentationClass/aug_0.png'
    Image.fromarray(np.full((72, 96), 99, np.uint8)).save(both)
    assert check(tmp_path).ok


def test_classes_of_ones_own(tmp_path):
    write_voc_seg(tmp_path)
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    result = check(tmp_path)
    assert result.kinds() == {'unknown-category', 'no-classes'}
    assert 'expected 0 to 2 or 255' in next(iter(result.findings.values())).examples[0]


@pytest.mark.parametrize('values', [(0, 255), (255, 255), (0, 0), (1, 255)])
def test_masks_of_one_class(tmp_path, values):
    write_voc_seg(tmp_path)
    for path in (tmp_path / 'SegmentationClass').glob('*.png'):
        repaint(path, lambda mask: np.where(mask == 0, *values).astype(np.uint8))
    result = check(tmp_path)
    assert result.kinds() == {'no-classes'}
    wheres = {where for _, where in result.findings}
    assert wheres == {'masks of train.txt', 'masks of val.txt'}


def test_masks_of_two_values(tmp_path):
    write_voc_seg(tmp_path)
    for path in tmp_path.glob('SegmentationClass*/*.png'):
        Image.fromarray(np.array(Image.open(path)) > 0).save(path)  # one bit a pixel
    assert check(tmp_path).ok


@pytest.mark.parametrize('suffix', ['.png', '.JPG'])
def test_one_suffix_of_all_images_is_fine_and_two_are_not(tmp_path, suffix):
    write_voc_seg(tmp_path)
    first, *others = sorted((tmp_path / 'JPEGImages').glob('*.jpg'))
    for path in others:
        path.rename(path.with_suffix(suffix))
    assert check(tmp_path).kinds('error') == {'missing-image'}
    first.rename(first.with_suffix(suffix))
    assert check(tmp_path).ok


def test_nothing_to_check(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no lists ImageSets/Segmentation'):
        check(tmp_path)
