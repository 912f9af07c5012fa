"""Every fault is planted into a clean set, one at a time, and must be named."""

import json
import shutil

import pytest
from fake_coco import write_coco
from PIL import Image

from msbreg_mm.datasets.check import check_dataset


def check(root, **options):
    return check_dataset(root, 'coco', progress=False, **options)


def edit(root, change, split='train'):
    path = root / 'annotations' / f'{split}.json'
    content = json.loads(path.read_text())
    content = change(content) or content
    path.write_text(json.dumps(content))


def set_value(key, index, **values):
    return lambda content: content[key][index].update(values)


def repeat(key, **values):
    return lambda content: content[key].append({**content[key][0], **values})


def test_clean_set(small_shapes):
    result = check(small_shapes)
    assert result.ok
    assert result.exit_code == 0
    assert not result.findings
    assert result.splits['train.json']['images'] == 12
    assert result.splits['val.json']['classes'] == 7


FAULTS = {
    'duplicate id of an image': (
        repeat('images', file_name='train_00001.jpg'),
        {'duplicate-image-id', 'duplicate-file-name'},
        'image id 1',
    ),
    'two records of one file': (
        repeat('images', id=99),
        {'duplicate-file-name', 'no-annotations'},
        'train_00000.jpg',
    ),
    'duplicate id of an annotation': (
        repeat('annotations'),
        {'duplicate-annotation-id'},
        'annotation id 1 (2 times)',
    ),
    'annotation of no image': (
        set_value('annotations', 0, image_id=77),
        {'unknown-image'},
        'annotation 1: image id 77',
    ),
    'unknown category': (
        set_value('annotations', 0, category_id=70),
        {'unknown-category'},
        'annotation 1 in train_00000.jpg: category id 70',
    ),
    'box outside': (
        set_value('annotations', 0, bbox=[50, 2, 20, 5]),
        {'box-beyond'},
        'annotation 1 in train_00000.jpg: [50, 2, 20, 5] in 64 x 64',
    ),
    'box left of the image': (
        set_value('annotations', 0, bbox=[-3, 2, 20, 5]),
        {'box-beyond'},
        '[-3, 2, 20, 5]',
    ),
    'box beside the image': (
        set_value('annotations', 0, bbox=[70, 2, 20, 5]),
        {'box-outside'},
        '[70, 2, 20, 5] in 64 x 64',
    ),
    'box of half a pixel': (
        set_value('annotations', 0, bbox=[5, 2, 0.5, 5]),
        {'dropped-annotation'},
        '[5, 2, 0.5, 5], area',
    ),
    'no area': (
        set_value('annotations', 0, area=0),
        {'dropped-annotation'},
        'area 0',
    ),
    'to be ignored': (
        set_value('annotations', 0, ignore=1),
        {'ignored-annotation'},
        'annotation 1',
    ),
    'box as text': (
        set_value('annotations', 0, bbox=['5', '2', '9', '9']),
        {'malformed-record'},
        'annotation 1 in train_00000.jpg: TypeError',
    ),
    'category id as text': (
        set_value('annotations', 0, category_id='1'),
        {'unknown-category'},
        'category id 1',
    ),
    'category id as float': (set_value('annotations', 0, category_id=1.0), set(), ''),
    'image id as text': (
        set_value('annotations', 0, image_id='1'),
        {'unknown-image'},
        "image id '1'",
    ),
    'unhashable id': (
        set_value('images', 0, id=[1]),
        {'malformed-record', 'unknown-image'},
        'TypeError',
    ),
    'no file name': (
        lambda content: content['images'][0].pop('file_name') and None,
        {'malformed-record'},
        'no file_name',
    ),
    'two categories of one name': (
        set_value('categories', 1, name='disc'),
        {'duplicate-category', 'category-mismatch'},
        "name 'disc' (2 times)",
    ),
    'two categories of one id': (
        repeat('categories', name='other'),
        {'duplicate-category', 'category-mismatch'},
        "id '1' (2 times)",
    ),
    'other order': (
        lambda content: content['categories'].reverse(),
        {'category-mismatch'},
        'mmdet numbers the classes in the order of the file',
    ),
    'box without width': (
        set_value('annotations', 0, bbox=[5, 2, 0, 5]),
        {'zero-area-box'},
        '[5, 2, 0, 5]',
    ),
    'box of three numbers': (
        set_value('annotations', 0, bbox=[5, 2, 3]),
        {'malformed-record'},
        'expected 4, got 3',
    ),
    'box with NaN': (
        set_value('annotations', 0, bbox=[5, 2, 3, float('nan')]),
        {'malformed-record'},
        'nan',
    ),
    'no box': (
        set_value('annotations', 0, bbox=None),
        {'malformed-record'},
        'annotation 1 in train_00000.jpg: TypeError',
    ),
    'image without size': (
        lambda content: content['images'][0].pop('height') and None,
        {'malformed-record'},
        'no height',
    ),
    'height as text': (
        set_value('images', 0, height='64'),
        {'malformed-record', 'no-annotations', 'size-differs'},
        "'str' and 'float'",
    ),
    'annotation that is no dictionary': (
        lambda content: content['annotations'].append(5),
        {'malformed-record'},
        'no dictionary',
    ),
    'category without name': (
        lambda content: content['categories'].append({'id': 8}),
        {'malformed-record'},
        'no name',
    ),
    'wrong size': (
        set_value('images', 0, width=100),
        {'size-mismatch', 'malformed-mask'},
        'train_00000.jpg: 100 x 64 listed, 64 x 64 in the file',
    ),
    'no polygon': (
        set_value('annotations', 0, segmentation=[]),
        {'missing-mask'},
        'annotation 1 in train_00000.jpg: []',
    ),
    'polygon outside': (
        set_value('annotations', 0, segmentation=[[90, 90, 99, 90, 99, 99]]),
        {'empty-mask'},
        'no pixel',
    ),
    'mask of another size': (
        set_value('annotations', 0, segmentation={'size': [9, 9], 'counts': [40, 41]}),
        {'malformed-mask'},
        'RLE size [9, 9], image [64, 64]',
    ),
    'size of a mask that fills all memory': (
        set_value(
            'annotations', 0, segmentation={'size': [2**20, 2**20], 'counts': '0'}
        ),
        {'malformed-mask'},
        'too large',
    ),
    'compressed RLE that ends early': (
        set_value('annotations', 0, segmentation={'size': [64, 64], 'counts': 'PP'}),
        {'malformed-mask'},
        'RLE',
    ),
    'polygon of text': (
        set_value('annotations', 0, segmentation=[['1', 1, 9, 1, 9, 9]]),
        {'malformed-mask'},
        "'1' in a polygon is no number",
    ),
    'polygon of two points': (
        set_value('annotations', 0, segmentation=[[9, 9, 20, 20]]),
        {'ignored-mask'},
        'at least 3 points',
    ),
    'RLE without pixels': (
        set_value('annotations', 0, segmentation={'size': [64, 64], 'counts': [4096]}),
        {'empty-mask'},
        'no pixel',
    ),
    'RLE that is too short': (
        set_value('annotations', 0, segmentation={'size': [64, 64], 'counts': [9, 9]}),
        {'malformed-mask'},
        'do not fill 64 x 64',
    ),
    'RLE without runs': (
        set_value('annotations', 0, segmentation={'size': [64, 64]}),
        {'ignored-mask'},
        'counts',
    ),
    'other categories': (
        set_value('categories', 2, name='tringle'),
        {'category-mismatch'},
        "id 3 is 'triangle', in train.json 'tringle'",
    ),
    'a category less': (
        lambda content: content['categories'].pop(0) and None,
        {'category-mismatch', 'unknown-category'},
        "id 1 is 'disc', in train.json None",
    ),
    'missing key': (
        lambda content: {'images': content['images'], 'categories': []},
        {'unreadable-annotation'},
        'no list annotations',
    ),
    'a list at the top': (lambda content: [content], {'unreadable-annotation'}, 'no'),
    'nothing listed': (
        lambda content: {**content, 'images': [], 'annotations': []},
        {'no-images'},
        'the list of images is empty',
    ),
}


@pytest.mark.parametrize('value', ['Infinity', '-Infinity', 'NaN', '1e308', '1e9'])
def test_polygon_that_takes_c_code_down(shapes_copy, value):
    polygon = [[1, 1, 10, 1, 10, 'HERE', 1, 10]]
    edit(shapes_copy, set_value('annotations', 0, segmentation=polygon))
    path = shapes_copy / 'annotations/train.json'
    path.write_text(path.read_text().replace('"HERE"', value))
    result = check(shapes_copy)
    assert result.kinds() == {'malformed-mask'}
    assert 'annotation 1' in result.findings['malformed-mask', 'train.json'].examples[0]


SCORING = {
    'id 0': (set_value('annotations', 0, id=0), 'no hit at IoU 0.5'),
    'no iscrowd': (
        lambda content: content['annotations'][0].pop('iscrowd') and None,
        'no iscrowd',
    ),
    'no area': (lambda content: content['annotations'][0].pop('area') and None, 'area'),
}


@pytest.mark.parametrize('name', SCORING)
def test_what_only_an_evaluator_minds(shapes_copy, name):
    change, example = SCORING[name]
    edit(shapes_copy, change, 'val')
    found = check(shapes_copy).findings.values()
    assert any(example in text for finding in found for text in finding.examples)


def test_files_to_train_on_are_not_scored(shapes_copy):
    edit(shapes_copy, set_value('annotations', 0, id=0), 'train')
    assert check(shapes_copy).ok


def test_object_without_a_mask_beside_others(shapes_copy):
    edit(shapes_copy, lambda c: c['annotations'][3].pop('segmentation') and None)
    assert check(shapes_copy).kinds() == {'missing-mask'}


def test_boxes_alone_need_no_masks(shapes_copy):
    for split in ('train', 'val'):
        edit(
            shapes_copy,
            lambda content: (
                [a.pop('segmentation') for a in content['annotations']] and None
            ),
            split,
        )
    edit(shapes_copy, set_value('images', 0, width=100))
    assert check(shapes_copy).kinds() == {'size-differs'}


def test_byte_order_mark(shapes_copy):
    path = shapes_copy / 'annotations/val.json'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert check(shapes_copy).kinds() == {'unreadable-annotation'}


@pytest.mark.parametrize('name', FAULTS)
def test_planted_fault(shapes_copy, name):
    change, kinds, example = FAULTS[name]
    edit(shapes_copy, change)
    result = check(shapes_copy, max_examples=9)
    assert result.kinds() == kinds
    shown = [text for found in result.findings.values() for text in found.examples]
    assert not kinds or any(example in text for text in shown), shown
    assert result.exit_code == int(bool(result.kinds('error')))


def test_annotated_images_less_their_annotations_are_only_info(shapes_copy):
    edit(shapes_copy, lambda content: {**content, 'annotations': []})
    result = check(shapes_copy)
    assert result.ok
    assert result.count('no-annotations') == 12
    assert len(result.findings['no-annotations', 'train.json'].examples) == 3


def test_damaged_json(shapes_copy):
    path = shapes_copy / 'annotations/val.json'
    path.write_text(path.read_text()[:500])
    result = check(shapes_copy)
    assert result.kinds() == {'unreadable-annotation'}
    assert list(result.splits) == ['train.json']


def test_missing_truncated_and_fake_images(shapes_copy):
    folder = shapes_copy / 'JPEGImages'
    (folder / 'train_00000.jpg').unlink()
    cut = folder / 'train_00001.jpg'
    cut.write_bytes(cut.read_bytes()[:1500])
    (folder / 'train_00002.jpg').write_text('<html>404</html>')
    (folder / 'train_00003.jpg').write_bytes(b'')
    result = check(shapes_copy, max_examples=5)
    assert result.kinds() == {'missing-image', 'unreadable-image'}
    assert result.count('missing-image') == 1
    missing = result.findings['missing-image', 'train.json'].examples
    assert missing == [str(folder / 'train_00000.jpg')]
    faults = result.findings['unreadable-image', 'train.json'].examples
    assert [fault.split(':')[0] for fault in faults] == [
        f'train_0000{index}.jpg' for index in (1, 2, 3)
    ]
    assert 'truncated' in faults[0]


def test_headers_alone_do_not_find_a_truncated_file(shapes_copy):
    cut = shapes_copy / 'JPEGImages/train_00001.jpg'
    cut.write_bytes(cut.read_bytes()[:1500])
    assert check(shapes_copy, decode=False).ok
    assert not check(shapes_copy).ok


def test_sizes_are_those_after_exif_rotation(shapes_copy):
    path = shapes_copy / 'JPEGImages/train_00000.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (64, 48)).save(path, exif=exif)
    edit(shapes_copy, set_value('images', 0, width=48, height=64))
    assert 'size-mismatch' not in check(shapes_copy).kinds()


def test_rounding_of_a_box_is_no_fault(shapes_copy):
    edit(shapes_copy, set_value('annotations', 0, bbox=[-0.4, 0, 65.1, 64.9]))
    assert check(shapes_copy).ok


def test_named_files_and_folder(shapes_copy):
    shutil.move(shapes_copy / 'JPEGImages', shapes_copy / 'pixels')
    assert check(shapes_copy).count('missing-image') == 20
    result = check(shapes_copy, annotations=['annotations/val.json'], images='pixels')
    assert result.ok
    assert list(result.splits) == ['val.json']


def test_coco_2017_folders_and_other_json_files(shapes_copy):
    for name in ('Annotations', 'SegmentationClass'):
        shutil.rmtree(shapes_copy / name)
    for split in ('train', 'val'):
        (shapes_copy / f'{split}2017').mkdir()
        for path in (shapes_copy / 'JPEGImages').glob(f'{split}_*'):
            shutil.move(path, shapes_copy / f'{split}2017')
        (shapes_copy / f'annotations/{split}.json').rename(
            shapes_copy / f'annotations/instances_{split}2017.json'
        )
    (shapes_copy / 'annotations/captions_val2017.json').write_text('{}')
    result = check_dataset(shapes_copy, progress=False)
    assert result.layouts == ['coco']
    assert result.ok
    assert len(result.splits) == 2


def test_other_label_sets_of_the_same_images_need_not_agree(shapes_copy):
    edit(shapes_copy, set_value('categories', 0, name='round'), 'train')
    edit(shapes_copy, set_value('categories', 0, name='round'), 'val')
    for split in ('train', 'val'):
        source = shapes_copy / f'annotations/{split}.json'
        shutil.copy(source, source.with_name(f'{split}_coarse.json'))
    edit(shapes_copy, set_value('categories', 0, name='any'), 'train_coarse')
    result = check(shapes_copy)
    assert {where for _, where in result.findings} == {'val_coarse.json'}


@pytest.mark.parametrize('name', ['coco_free', 'nuclei_dsb2018', 'bccd_voc'])
def test_real_sets_are_clean(shared_data, name):
    result = check_dataset(shared_data / name, 'coco', progress=False)
    assert result.ok
    assert result.kinds() <= {'no-annotations'}


def test_nothing_but_crowds(tmp_path):
    """detectron2#2415: every object is a crowd, so none is trained on or scored."""

    def crowd(content, split):
        for record in content['annotations']:
            record['iscrowd'] = 1

    result = check_dataset(write_coco(tmp_path / 'd', crowd), 'coco', progress=False)
    assert result.kinds('error') == {'crowds-only'}
    assert result.exit_code == 1
