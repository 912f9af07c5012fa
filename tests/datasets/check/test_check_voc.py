import numpy as np
import pytest
from PIL import Image

from msbreg_mm.datasets.check import check_dataset


def check(root):
    return check_dataset(root, 'voc', progress=False, max_examples=9)


def replace_xml(root, old, new, stem='train_00000'):
    path = root / f'Annotations/{stem}.xml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def box_of_first(root, **sides):
    path = root / 'Annotations/train_00000.xml'
    text = path.read_text()
    for name, value in sides.items():
        start = text.index(f'<{name}>')
        stop = text.index(f'</{name}>')
        text = f'{text[:start]}<{name}>{value}{text[stop:]}'
    path.write_text(text)


def repaint(root, change):
    path = root / 'SegmentationObject/train_00000.png'
    Image.fromarray(change(np.array(Image.open(path)))).save(path)


def append(root, name, line):
    with open(root / 'ImageSets/Main' / name, 'a') as file:
        file.write(line)


def test_clean_set(small_shapes):
    result = check(small_shapes)
    assert not result.findings
    assert list(result.splits) == ['train.txt', 'val.txt']
    assert result.splits['val.txt']['images'] == 8


FAULTS = {
    'listed, no XML': (
        lambda root: append(root, 'val.txt', 'ghost\n'),
        {'missing-annotation'},
        'ghost.xml',
    ),
    'no image': (
        lambda root: (root / 'JPEGImages/train_00000.jpg').unlink(),
        {'missing-image'},
        'train_00000.jpg',
    ),
    'no XML': (
        lambda root: replace_xml(root, '</annotation>', ''),
        {'unreadable-annotation'},
        'train_00000.xml is no readable XML',
    ),
    'listed twice': (
        lambda root: append(root, 'train.txt', 'train_00003\n'),
        {'duplicate-image-id'},
        'train_00003 is listed 2 times',
    ),
    'no width': (
        lambda root: replace_xml(root, '<width>64</width>', ''),
        {'unreadable-annotation'},
        'size/width',
    ),
    'other width': (
        lambda root: replace_xml(root, '<width>64</width>', '<width>80</width>'),
        {'size-mismatch', 'malformed-mask'},
        'train_00000.jpg: 80 x 64 in the XML, 64 x 64 in the file',
    ),
    'box outside': (
        lambda root: box_of_first(root, xmin=10, xmax=65),
        {'box-outside'},
        'object 1',
    ),
    'box without area': (
        lambda root: box_of_first(root, xmin=10, xmax=10),
        {'zero-area-box'},
        'train_00000.xml object 1',
    ),
    'box at zero': (
        lambda root: box_of_first(root, xmin=0, xmax=10),
        {'zero-based-box'},
        'object 1',
    ),
    'unknown class': (
        lambda root: replace_xml(root, '<name>', '<name>my'),
        {'unknown-category'},
        'is not in classes.txt',
    ),
    'another name': (
        lambda root: replace_xml(root, '<filename>train_00000', '<filename>other'),
        {'file-name-mismatch'},
        'train_00000.xml names other.jpg',
    ),
    'empty mask': (
        lambda root: repaint(root, lambda mask: np.where(mask == 1, 0, mask)),
        {'empty-mask'},
        'train_00000.png: object 1',
    ),
    'index of no object': (
        lambda root: repaint(root, lambda mask: np.where(mask == 0, 77, mask)),
        {'malformed-mask'},
        'index 77',
    ),
    'mask in colours': (
        lambda root: repaint(root, lambda mask: np.stack([mask] * 3, axis=2)),
        {'malformed-mask'},
        'mode RGB',
    ),
    'small mask': (
        lambda root: repaint(root, lambda mask: mask[:32]),
        {'malformed-mask'},
        '64 x 32',
    ),
    'empty list': (
        lambda root: (root / 'ImageSets/Main/val.txt').write_text(''),
        {'no-images'},
        'the list is empty',
    ),
}


@pytest.mark.parametrize('name', FAULTS)
def test_planted_fault(shapes_copy, name):
    plant, kinds, example = FAULTS[name]
    plant(shapes_copy)
    result = check(shapes_copy)
    # A class that train lost with the fault is a warning in val.
    assert result.kinds() - {'unseen-class'} == kinds
    shown = [text for found in result.findings.values() for text in found.examples]
    assert any(example in text for text in shown), shown
    assert result.exit_code == int(bool(result.kinds('error')))


def test_overlapping_lists_report_a_fault_once(shapes_copy):
    names = [
        (shapes_copy / f'ImageSets/Main/{split}.txt').read_text()
        for split in ('train', 'val')
    ]
    append(shapes_copy, 'trainval.txt', ''.join(names))
    box_of_first(shapes_copy, xmin=10, xmax=10)
    result = check(shapes_copy)
    assert result.count('zero-area-box') == 1
    assert result.splits['trainval.txt']['images'] == 20


def test_lists_per_class_are_left_out(shapes_copy):
    append(shapes_copy, 'disc_train.txt', 'nowhere -1\n')
    assert check(shapes_copy).ok


def test_class_that_only_val_has_is_a_warning(shapes_copy):
    (shapes_copy / 'classes.txt').unlink()
    replace_xml(shapes_copy, '<name>', '<name>rare', stem='val_00000')
    result = check(shapes_copy)
    assert result.ok
    assert result.kinds('warning') == {'unseen-class'}


def test_two_boxes_of_bccd_have_no_area(shared_data):
    result = check(shared_data / 'bccd_voc')
    assert result.kinds() == {'zero-area-box'}
    assert result.count('zero-area-box') == 2
    (train,) = result.findings['zero-area-box', 'train.txt'].examples
    (val,) = result.findings['zero-area-box', 'val.txt'].examples
    assert 'BloodImage_00343' in train
    assert 'BloodImage_00338' in val
    assert result.exit_code == 1


@pytest.mark.parametrize('name', ['coco_free', 'nuclei_dsb2018'])
def test_real_sets_are_clean(shared_data, name):
    assert check(shared_data / name).ok
