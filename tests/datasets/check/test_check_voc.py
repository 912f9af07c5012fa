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


def cut(root, begin, end):
    path = root / 'Annotations/train_00000.xml'
    text = path.read_text()
    start, stop = text.index(begin), text.index(end) + len(end)
    path.write_text(text[:start] + text[stop:])


def images(root, pattern):
    return sorted((root / 'JPEGImages').glob(f'{pattern}.jpg'))


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
        {'duplicate-file-name'},
        'train_00003 (2 times)',
    ),
    'no width': (
        lambda root: replace_xml(root, '<width>64</width>', ''),
        {'unreadable-annotation'},
        'AttributeError',
    ),
    'other width': (
        lambda root: replace_xml(root, '<width>64</width>', '<width>80</width>'),
        {'size-differs', 'malformed-mask'},
        'train_00000.jpg: 80 x 64 in the XML, 64 x 64 in the file',
    ),
    'box outside': (
        lambda root: box_of_first(root, xmin=10, xmax=65),
        {'box-beyond'},
        'object 1',
    ),
    'box beside the image': (
        lambda root: box_of_first(root, xmin=70, xmax=90),
        {'box-outside'},
        'object 1',
    ),
    'box without a number': (
        lambda root: box_of_first(root, xmin='nan'),
        {'malformed-record'},
        'train_00000.xml object 1: ValueError',
    ),
    'no size in the XML': (
        lambda root: cut(root, '<size>', '</size>'),
        set(),
        '',
    ),
    'no difficult': (lambda root: cut(root, '<difficult>', '</difficult>'), set(), ''),
    'empty difficult': (
        lambda root: replace_xml(root, '<difficult>0</difficult>', '<difficult/>'),
        {'malformed-record'},
        'TypeError',
    ),
    'difficult in words': (
        lambda root: replace_xml(root, '<difficult>0<', '<difficult>Unspecified<'),
        {'malformed-record'},
        'Unspecified',
    ),
    'no name': (
        lambda root: cut(root, '<name>', '</name>'),
        {'malformed-record'},
        'AttributeError',
    ),
    'no box': (
        lambda root: cut(root, '<bndbox>', '</bndbox>'),
        {'malformed-record'},
        'AttributeError',
    ),
    'blank after the name': (
        lambda root: replace_xml(root, '</name>', ' </name>'),
        {'unknown-category'},
        'is not in classes.txt',
    ),
    'size of zero': (
        lambda root: [
            replace_xml(root, f'<{side}>64<', f'<{side}>0<')
            for side in ('width', 'height')
        ],
        {'size-mismatch', 'malformed-mask'},
        '0 x 0 in the XML',
    ),
    'blank line in the list': (
        lambda root: append(root, 'train.txt', '\n'),
        {'missing-annotation'},
        '.xml',
    ),
    'blank after a listed name': (
        lambda root: append(root, 'train.txt', 'train_00001 \n'),
        {'missing-annotation'},
        'blanks around the name',
    ),
    'Windows line ends': (
        lambda root: (root / 'ImageSets/Main/val.txt').write_bytes(
            (root / 'ImageSets/Main/val.txt').read_bytes().replace(b'\n', b'\r\n')
        ),
        set(),
        '',
    ),
    'PNG': (
        lambda root: [
            path.rename(path.with_suffix('.png')) for path in images(root, 'val_0000?')
        ],
        {'missing-image'},
        'val_00000.jpg',
    ),
    'suffix in capitals': (
        lambda root: [
            path.rename(path.with_suffix('.JPG')) for path in images(root, 'val_0000?')
        ],
        {'missing-image'},
        'val_00000.jpg',
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
    assert not kinds or any(example in text for text in shown), shown
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


def test_real_set_is_clean(shared_data):
    assert check(shared_data / 'coco_free').ok


def test_images_that_are_no_jpg_are_not_found_by_the_reader(shared_data):
    root = shared_data / 'nuclei_dsb2018'
    assert check(root).kinds() == {'missing-image', 'unseen-class'} - {'unseen-class'}
    # Its COCO files are fine, so that the set as a whole is.
    assert check_dataset(root, progress=False).layouts == ['coco']


def test_names_with_blanks(shapes_copy):
    for folder, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'xml')):
        path = shapes_copy / folder / f'val_00000.{suffix}'
        path.rename(path.with_name(f'my val 0.{suffix}'))
    (shapes_copy / 'ImageSets/Main/val.txt').write_text('my val 0\n')
    (shapes_copy / 'SegmentationObject/val_00000.png').unlink()
    assert check(shapes_copy).kinds('error', 'warning') == set()


def test_lists_whose_names_have_a_line_are_checked(shapes_copy):
    (shapes_copy / 'ImageSets/Main/my_train.txt').write_text('ghost\n')
    assert check(shapes_copy).kinds() == {'missing-annotation'}
