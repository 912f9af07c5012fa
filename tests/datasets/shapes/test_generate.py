import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from msbreg_mm.datasets.check import check_dataset
from msbreg_mm.datasets.shapes import CLASSES, SceneStyle, generate, generate_shapes
from msbreg_mm.datasets.voc import read_voc_annotation

TINY = {
    'num_unlabelled': 2,
    'num_train': 3,
    'num_val': 2,
    'image_size': 48,
    'progress': False,
}


def load(root, split):
    path = root / 'annotations' / f'{split}.json'
    return COCO(str(path)), json.loads(path.read_text())


def test_layout_and_counts(small_shapes):
    assert len(list((small_shapes / 'unlabelled').iterdir())) == 3
    for split, count in (('train', 12), ('val', 8)):
        names = (small_shapes / f'ImageSets/Main/{split}.txt').read_text().split()
        _, content = load(small_shapes, split)
        assert [image['file_name'] for image in content['images']] == [
            f'{name}.jpg' for name in names
        ]
        assert len(names) == count
        for image in content['images']:
            pixels = cv2.imread(str(small_shapes / 'JPEGImages' / image['file_name']))
            assert pixels.shape == (64, 64, 3)
    assert tuple((small_shapes / 'classes.txt').read_text().split()) == CLASSES


def test_ids_are_unique_over_splits(small_shapes):
    contents = [load(small_shapes, split)[1] for split in ('train', 'val')]
    for key in ('images', 'annotations'):
        ids = [record['id'] for content in contents for record in content[key]]
        assert sorted(ids) == list(range(1, len(ids) + 1))
    assert contents[0]['categories'] == contents[1]['categories']


@pytest.mark.parametrize('split', ['train', 'val'])
def test_coco_xml_and_index_images_agree(small_shapes, split):
    coco, content = load(small_shapes, split)
    for image in content['images']:
        stem = image['file_name'].removesuffix('.jpg')
        xml = read_voc_annotation(small_shapes / f'Annotations/{stem}.xml')
        indices, classes = (
            np.array(Image.open(small_shapes / folder / f'{stem}.png'))
            for folder in ('SegmentationObject', 'SegmentationClass')
        )
        records = coco.imgToAnns[image['id']]
        assert len(records) == len(xml.objects) == indices.max()
        for index, (record, item) in enumerate(
            zip(records, xml.objects, strict=True), start=1
        ):
            mask = coco.annToMask(record).astype(bool)
            assert np.array_equal(mask, indices == index)
            assert (classes[mask] == record['category_id']).all()
            assert record['area'] == mask.sum()
            assert record['iscrowd'] == 0
            ys, xs = np.nonzero(mask)
            corners = (xs.min(), ys.min(), xs.max(), ys.max())
            assert item.box == tuple(value + 1 for value in corners)
            assert record['bbox'] == item.xywh
            assert record['bbox'][2] == corners[2] - corners[0] + 1
            assert item.name == CLASSES[record['category_id'] - 1]
        assert ((classes > 0) == (indices > 0)).all()


def test_passes_the_check(small_shapes):
    result = check_dataset(small_shapes, progress=False)
    assert result.layouts == ['coco', 'voc', 'seg']
    assert result.kinds() <= {'unseen-class'}
    assert check_dataset(small_shapes / 'unlabelled', progress=False).ok


def test_same_files_in_another_process_with_other_threads(tmp_path):
    here = generate_shapes(tmp_path / 'here', **TINY)
    code = (
        'import sys; from msbreg_mm.datasets.shapes import generate_shapes as g;'
        f'print(g(sys.argv[1], **{TINY!r}).digest)'
    )
    there = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, str(tmp_path / 'there')],
        env={**os.environ, 'OMP_NUM_THREADS': '3', 'PYTHONHASHSEED': '7'},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split()[-1] == here.digest
    for path in sorted((tmp_path / 'here').rglob('*')):
        other = tmp_path / 'there' / path.relative_to(tmp_path / 'here')
        assert path.is_dir() or path.read_bytes() == other.read_bytes()


def test_a_longer_set_begins_with_the_shorter_one(tmp_path):
    generate_shapes(tmp_path / 'short', **TINY)
    generate_shapes(tmp_path / 'long', **{**TINY, 'num_train': 5})
    for index in range(3):
        name = f'JPEGImages/train_{index:05d}.jpg'
        short, long = (tmp_path / folder / name for folder in ('short', 'long'))
        assert short.read_bytes() == long.read_bytes()


def test_second_call_reuses_and_other_parameters_are_named(tmp_path):
    root = tmp_path / 'deep' / 'shapes'
    first = generate_shapes(root, **TINY)
    written = (root / 'manifest.json').stat().st_mtime_ns
    second = generate_shapes(str(root), **TINY)
    assert second.reused
    assert not first.reused
    assert second.digest == first.digest
    assert (root / 'manifest.json').stat().st_mtime_ns == written
    with pytest.raises(FileExistsError, match=r'seed: 0 there, 1 asked.*--force'):
        generate_shapes(root, **TINY, seed=1)
    with pytest.raises(FileExistsError, match=r"'noise': 0"):
        generate_shapes(root, **TINY, style=SceneStyle(noise=0))
    forced = generate_shapes(root, **TINY, seed=1, force=True)
    assert forced.digest != first.digest
    assert [path.name for path in root.parent.iterdir()] == ['shapes']


@pytest.mark.parametrize('force', [False, True])
def test_a_foreign_folder_is_never_touched(tmp_path, force):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match='is no generated set'):
        generate_shapes(tmp_path / 'mine', **TINY, force=force)
    assert (tmp_path / 'mine' / 'thesis.txt').read_text() == 'years of work'


def test_deleted_files_are_noticed(tmp_path):
    generate_shapes(tmp_path / 'shapes', **TINY)
    (tmp_path / 'shapes/JPEGImages/val_00001.jpg').unlink()
    with pytest.raises(FileExistsError, match=r'val_00001.jpg is missing.*--force'):
        generate_shapes(tmp_path / 'shapes', **TINY)
    assert not generate_shapes(tmp_path / 'shapes', **TINY, force=True).reused


@pytest.mark.parametrize('error', [OSError('disk full'), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, error):
    calls = []
    original = generate.write_jpeg

    def failing(path, image):
        calls.append(path)
        if len(calls) == 4:
            raise error
        original(path, image)

    monkeypatch.setattr(generate, 'write_jpeg', failing)
    with pytest.raises(type(error)):
        generate_shapes(tmp_path / 'shapes', **TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('name', 'value', 'least'),
    [
        ('num_unlabelled', -1, 0),
        ('num_train', 0, 1),
        ('num_val', 0, 1),
        ('image_size', 32, 48),
        ('seed', -1, 0),
    ],
)
def test_numbers_out_of_range(tmp_path, name, value, least):
    with pytest.raises(ValueError, match=f'{name} must be at least {least}, got'):
        generate_shapes(tmp_path / 'shapes', **{**TINY, name: value})
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(FileExistsError, match='is no generated set'):
        generate_shapes(tmp_path / 'file', **TINY)


def test_missing_photograph_is_named(tmp_path, monkeypatch):
    from msbreg_mm.datasets.shapes import photos

    monkeypatch.setitem(photos.PHOTOS, 'train', (tmp_path / 'nowhere.png',))
    with pytest.raises(FileNotFoundError, match=r'nowhere\.png.*scikit-image'):
        generate_shapes(tmp_path / 'shapes', **TINY)


def test_unlabelled_is_a_dataset_of_mmpretrain(small_shapes):
    from mmpretrain.datasets import CustomDataset

    dataset = CustomDataset(
        data_root=str(small_shapes),
        data_prefix='unlabelled',
        with_label=False,
        pipeline=[],
    )
    assert len(dataset) == 3


def test_mmdet_reads_both_layouts_alike(small_shapes):
    from mmdet.datasets import CocoDataset, XMLDataset

    meta = {'classes': CLASSES}
    coco = CocoDataset(
        data_root=str(small_shapes),
        ann_file='annotations/train.json',
        data_prefix={'img': 'JPEGImages/'},
        metainfo=meta,
        pipeline=[],
    )
    voc = XMLDataset(
        data_root=str(small_shapes),
        ann_file='ImageSets/Main/train.txt',
        data_prefix={'sub_data_root': ''},
        metainfo=meta,
        pipeline=[],
    )
    assert len(coco) == len(voc) == 12
    for index in range(12):
        one, two = coco.get_data_info(index), voc.get_data_info(index)
        assert os.path.samefile(one['img_path'], two['img_path'])
        for first, second in zip(one['instances'], two['instances'], strict=True):
            assert first['bbox_label'] == second['bbox_label']
            # mmdet takes VOC's inclusive end as an exclusive one: one pixel less.
            assert first['bbox'][:2] == second['bbox'][:2]
            assert first['bbox'][2] - 1 == second['bbox'][2]
