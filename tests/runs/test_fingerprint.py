"""Two data sets under the same names are told apart; the same data elsewhere not."""

import json
import shutil

import numpy as np
import pytest

from msbreg_mm.runs.fingerprint import data_fingerprint


@pytest.fixture
def coco(tmp_path):
    root = tmp_path / 'a'
    (root / 'images').mkdir(parents=True)
    for name in ('train', 'val'):
        content = {'images': [{'id': 1, 'file_name': 'x.jpg'}], 'annotations': []}
        (root / f'{name}.json').write_text(json.dumps(content))
    (root / 'images' / 'x.jpg').write_bytes(b'123')
    return root


def config(root):
    data = {'data_root': str(root), 'data_prefix': {'img': 'images/'}}
    return {
        f'{name}_dataloader': {'dataset': {**data, 'ann_file': f'{name}.json'}}
        for name in ('train', 'val')
    }


def moved(root):
    other = root.with_name('b')
    shutil.copytree(root, other)
    return other


def test_the_folder_does_not_matter(coco):
    first = data_fingerprint(config(coco))
    assert len(first) == 12
    assert first == data_fingerprint(config(moved(coco)))


@pytest.mark.parametrize('name', ['train.json', 'val.json', 'images/x.jpg'])
def test_every_file_matters(coco, name):
    other = moved(coco)
    file = other / name
    file.write_bytes(file.read_bytes() + b' ')
    assert data_fingerprint(config(coco)) != data_fingerprint(config(other))


def test_a_renamed_image_matters_and_a_hidden_file_does_not(coco):
    other = moved(coco)
    (other / 'images' / '.cache').write_bytes(b'1')
    assert data_fingerprint(config(coco)) == data_fingerprint(config(other))
    third = coco.with_name('c')
    shutil.copytree(coco, third)
    (third / 'images' / 'x.jpg').rename(third / 'images' / 'y.jpg')
    assert data_fingerprint(config(coco)) != data_fingerprint(config(third))


def test_masks_and_lists_of_the_same_size_matter(tmp_path):
    roots = []
    for value in (1, 2):
        root = tmp_path / str(value)
        (root / 'masks').mkdir(parents=True)
        (root / 'JPEGImages').mkdir()
        (root / 'masks' / 'm.png').write_bytes(bytes([value]))
        data = {'img_path': 'JPEGImages', 'seg_map_path': 'masks'}
        dataset = {'data_root': str(root), 'data_prefix': data}
        roots.append({'train_dataloader': {'dataset': dataset}})
    assert data_fingerprint(roots[0]) != data_fingerprint(roots[1])


def test_wrapped_data_sets_and_arrays(tmp_path):
    np.savez(tmp_path / 'train.npz', images=np.zeros(3))
    leaf = {'data_root': str(tmp_path), 'ann_file': 'train.npz'}
    plain = {'train_dataloader': {'dataset': leaf}}
    wrapped = {'train_dataloader': {'dataset': {'type': 'Repeat', 'dataset': leaf}}}
    assert data_fingerprint(plain) == data_fingerprint(wrapped) != ''


def test_absent_data_have_no_fingerprint(coco):
    (coco / 'val.json').unlink()
    assert data_fingerprint(config(coco)) == ''
    assert data_fingerprint(config('s3://bucket')) == ''
