"""Packs from synthetic archives; the official ones are not here.

The images of the developers' packs stand in for those of the archives, so that the
selection, its order and the layout are compared with the real packs.
"""

import io
import json
import tarfile
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from msbreg_mm.cli.main import main
from msbreg_mm.datasets.packs import PACKS, make_pack
from msbreg_mm.datasets.packs.making import shrink
from msbreg_mm.datasets.packs.names import CLASSES, selection
from msbreg_mm.utils.errors import (
    DataError,
    ExistingInputError,
    MissingInputError,
    OptionError,
)

FOLDERS = {'caltech101': 'caltech101_80px', 'flowers17': 'flowers17_80px_a'}


def jpeg(width=100, height=90, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'JPEG')
    return stream.getvalue()


def test_selections_are_balanced_and_disjoint():
    for pack, counts in (
        ('cifar10', (2000, 400)), ('caltech101', (20, 6)), ('flowers17', (30, 10)),
    ):  # fmt: skip
        chosen = {}
        for split, count in zip(('train', 'val'), counts, strict=True):
            rows = selection(pack, split)
            assert (np.bincount(rows[:, 0]) == count).all()
            assert (
                len(np.unique(rows, axis=0)) == len(rows) == count * len(CLASSES[pack])
            )
            chosen[split] = set(map(tuple, rows.tolist()))
        if pack != 'cifar10':  # its splits come from two sets
            assert not chosen['train'] & chosen['val']
    flowers = selection('flowers17', 'train')
    assert ((flowers[:, 1] - 1) // 80 == flowers[:, 0]).all()


def test_cifar10_has_the_arrays_of_the_real_pack(shared_data, tmp_path):
    real = shared_data / 'cifar10_24k'
    archive = tmp_path / 'CIFAR-10-images.zip'
    expected = {}
    with zipfile.ZipFile(archive, 'w') as file:
        for split, source in (('train', 'train'), ('val', 'test')):
            with np.load(real / f'{split}.npz') as found:
                arrays = expected[split] = dict(found)
            ends = arrays['offset']
            for index in np.argsort(arrays['name']):
                content = arrays['jpeg'][ends[index] : ends[index + 1]].tobytes()
                name = arrays['name'][index].decode()
                file.writestr(f'CIFAR-10-images-master/{source}/{name}', content)
            file.writestr(f'CIFAR-10-images-master/{source}/cat/9999.jpg', b'other')
    code = main(['data', 'pack', 'cifar10', str(archive), str(tmp_path / 'pack')])
    assert code == 0
    for split, arrays in expected.items():
        with np.load(tmp_path / 'pack' / f'{split}.npz') as made:
            assert set(made) == set(arrays)
            for name, array in arrays.items():
                assert made[name].dtype == array.dtype
                np.testing.assert_array_equal(made[name], array)
    assert (tmp_path / 'pack/classes.txt').read_text() == (
        real / 'classes.txt'
    ).read_text()
    assert json.loads((tmp_path / 'pack/pack.json').read_text())['train'] == 20000


@pytest.mark.parametrize('pack', FOLDERS)
def test_folders_have_the_lists_of_the_real_pack(pack, shared_data, tmp_path):
    real, content = shared_data / FOLDERS[pack], jpeg()
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode='w') as tar:
        for split in ('train', 'val'):
            for line in (real / f'{split}.txt').read_text().splitlines():
                name = line.rsplit(' ', 1)[0]
                where = f'101_ObjectCategories/{name}'
                if pack == 'flowers17':
                    where = f'jpg/{name.split("/")[1]}'
                member = tarfile.TarInfo(where)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    archive = tmp_path / 'archive'
    if pack == 'caltech101':  # its tar is in a zip
        with zipfile.ZipFile(archive, 'w') as file:
            file.writestr('caltech-101/101_ObjectCategories.tar.gz', inner.getvalue())
    else:
        archive.write_bytes(inner.getvalue())
    counts = make_pack(pack, archive, tmp_path / 'pack')
    for name in ('train.txt', 'val.txt', 'classes.txt'):
        assert (tmp_path / 'pack' / name).read_text() == (real / name).read_text()
    for split, count in counts.items():
        files = sorted((tmp_path / 'pack' / split).rglob('*.jpg'))
        assert len(files) == count
        assert {file.relative_to(tmp_path / 'pack') for file in files} == {
            file.relative_to(real) for file in (real / split).rglob('*.jpg')
        }
    assert Image.open(files[0]).size == (89, 80)


@pytest.fixture
def few(monkeypatch):
    """Three training images and one to validate with, of two classes."""
    rows = {'train': [(1, 0), (0, 1), (1, 1)], 'val': [(0, 0)]}

    def chosen(pack, split):
        return np.array(rows[split])

    monkeypatch.setattr('msbreg_mm.datasets.packs.making.selection', chosen)
    return rows


def write_binary(path, rng):
    """CIFAR-10's binary version with three images in each file."""
    rows = {}
    with tarfile.open(path, 'w:gz') as tar:
        for name in ('test_batch', *(f'data_batch_{n}' for n in range(1, 6))):
            rows[name] = rng.integers(0, 255, (3, 3073), np.uint8)
            rows[name][:, 0] = [0, 1, 2]
            member = tarfile.TarInfo(f'cifar-10-batches-bin/{name}.bin')
            member.size = rows[name].nbytes
            tar.addfile(member, io.BytesIO(rows[name].tobytes()))
    return rows


def test_cifar10_from_the_binary_version(few, tmp_path):
    rows = write_binary(tmp_path / 'cifar.tar.gz', np.random.default_rng(0))
    make_pack('cifar10', tmp_path / 'cifar.tar.gz', tmp_path / 'pack')
    with np.load(tmp_path / 'pack' / 'train.npz') as made:
        assert made['label'].tolist() == [1, 0, 1]
        ends = made['offset']
        files = [made['jpeg'][a:b].tobytes() for a, b in pairwise(ends)]
    # number 1 of a class is in the second batch
    for content, row in zip(
        files,
        (rows['data_batch_1'][1], rows['data_batch_2'][0], rows['data_batch_2'][1]),
        strict=True,
    ):
        pixels = np.asarray(Image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(pixels.transpose(2, 0, 1).reshape(-1), row[1:])


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((300, 200), (120, 80)), ((200, 260), (80, 104)), ((50, 400), (80, 120))],
)
def test_sizes(size, expected):
    with Image.open(io.BytesIO(shrink(jpeg(*size)))) as image:
        assert (image.size, image.mode, image.format) == (expected, 'RGB', 'JPEG')


def test_bad_archives(few, tmp_path):
    archive, root = tmp_path / 'a.zip', tmp_path / 'pack'
    with pytest.raises(OptionError, match=', '.join(PACKS)):
        make_pack('cifar100', archive, root)
    with pytest.raises(MissingInputError, match='no archive or folder'):
        make_pack('flowers17', archive, root)
    archive.write_bytes(b'<html>')
    with pytest.raises(DataError, match='no readable zip, tar'):
        make_pack('flowers17', archive, root)
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('test/airplane/0000.jpg', b'x')
    with pytest.raises(DataError, match=r'lacks 3 of the 4 .* number 1 of airplane'):
        make_pack('cifar10', archive, root)
    folder = tmp_path / 'folder' / 'Motorbikes'
    folder.mkdir(parents=True)
    for number in (0, 1):
        (folder / f'image_{number:04d}.jpg').write_bytes(b'no image')
        (folder.parent / 'Leopards').mkdir(exist_ok=True)
        (folder.parent / 'Leopards' / f'image_{number:04d}.jpg').write_bytes(jpeg())
    with pytest.raises(DataError, match=r'image_0000\.jpg cannot be decoded'):
        make_pack('caltech101', folder.parent, root)
    assert not [path for path in tmp_path.iterdir() if 'pack' in path.name]
    with pytest.raises(ExistingInputError, match='name a new folder'):
        make_pack('caltech101', folder.parent, folder)
