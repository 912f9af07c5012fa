"""Unreadable images are named, counted once, replaced up to a limit, or an error."""

import copy
import os

import pytest
from bad_files import BAD_FILES, encode
from mmengine.dataset import default_collate
from mmpretrain.datasets import CustomDataset, PackInputs
from PIL import Image
from torch.utils.data import DataLoader

from msbreg_mm.datasets.transforms import bad_images as module
from msbreg_mm.datasets.transforms.bad_images import BadImagePolicy, BadImages
from msbreg_mm.datasets.transforms.guarded_read import guard_reading
from msbreg_mm.datasets.transforms.multi_view_augment import MultiViewAugment
from msbreg_mm.datasets.transforms.reading import CorruptImageError

pytestmark = pytest.mark.filterwarnings('ignore:Image size')

LOADERS = {
    'upstream': lambda: [{'type': 'LoadImageFromFile'}, {'type': 'Resize', 'scale': 8}],
    'views': lambda: [MultiViewAugment([{'size': 8}])],
}


def images(folder, loader, policy, bad, count=6, gone=None):
    folder.mkdir(exist_ok=True)
    for index in range(count):
        path = folder / f'{index}.png'
        if index != gone and not os.path.lexists(path):
            path.write_bytes(encode('.png', index))
    (folder / 'list.txt').write_text(''.join(f'{i}.png\n' for i in range(count)))
    data = CustomDataset(
        data_root=str(folder),
        ann_file='list.txt',
        with_label=False,
        pipeline=[*LOADERS[loader](), PackInputs()],
    )
    guard_reading(data, policy, bad)
    return data


@pytest.fixture(params=LOADERS)
def loader(request):
    return request.param


@pytest.mark.parametrize('kind', BAD_FILES)
def test_bad_file_is_replaced_counted_and_named(kind, loader, tmp_path):
    folder = tmp_path / 'set'
    folder.mkdir()
    BAD_FILES[kind](folder / '3.png')
    bad = BadImages(1, tmp_path / 'bad.jsonl')
    data = images(folder, loader, BadImagePolicy(), bad, gone=3)
    for _ in range(2):
        samples = [data[index] for index in range(6)]
    if loader == 'upstream':  # the next image stands in
        assert (samples[3]['inputs'] == samples[4]['inputs']).all()
    assert list(bad.files) == [str(folder / '3.png')]
    assert '3.png' in bad.files[str(folder / '3.png')]


@pytest.mark.parametrize('kind', BAD_FILES)
def test_bad_file_is_an_error_where_nothing_is_replaced(kind, loader, tmp_path):
    folder = tmp_path / 'set'
    folder.mkdir()
    BAD_FILES[kind](folder / '3.png')
    data = images(folder, loader, BadImagePolicy(), None, gone=3)
    with pytest.raises(CorruptImageError, match=r'3\.png'):
        data[3]


def test_two_bad_files_are_more_than_one(loader, tmp_path):
    (tmp_path / 'set').mkdir()
    for index in (1, 4):
        (tmp_path / f'set/{index}.png').write_bytes(b'')
    bad = BadImages(1, tmp_path / 'bad.jsonl', 'bad_images.max_count')
    data = images(tmp_path / 'set', loader, BadImagePolicy(), bad)
    message = r'2 bad images are more than bad_images.max_count=1.*1\.png.*4\.png'
    assert data[1]
    with pytest.raises(CorruptImageError, match=message):
        data[4]


@pytest.mark.parametrize('workers', [0, 2])
def test_workers_count_together_and_the_error_is_one_line(loader, workers, tmp_path):
    (tmp_path / 'set').mkdir()
    for index in (1, 4):
        (tmp_path / f'set/{index}.png').write_bytes(b'')
    bad = BadImages(2, tmp_path / 'bad.jsonl')
    data = images(tmp_path / 'set', loader, BadImagePolicy(), bad)
    options = {'batch_size': 1, 'num_workers': workers, 'collate_fn': default_collate}
    assert len(list(DataLoader(data, **options))) == 6
    assert bad.count == 2
    bad.limit = 1
    # One worker and batch: an iterator that is dropped unfinished waits for each.
    options.update(batch_size=6, num_workers=min(workers, 1))
    batches = iter(DataLoader(data, **options))
    with pytest.raises(CorruptImageError) as caught:
        next(batches)
    assert 'Traceback' not in str(caught.value)
    assert next(batches, None) is None or not workers


def test_limit_of_pixels(loader, tmp_path):
    data = images(tmp_path / 'set', loader, BadImagePolicy(max_pixels=40 * 56), None)
    assert data[0]
    data = images(tmp_path / 'set', loader, BadImagePolicy(max_pixels=40 * 55), None)
    with pytest.raises(CorruptImageError, match=r'56 x 40 pixels .* max_pixels=2,200'):
        data[0]


def test_good_images_are_those_of_upstream(tmp_path):
    plain = images(tmp_path / 'set', 'upstream', BadImagePolicy(), None)
    guarded = images(tmp_path / 'set', 'upstream', BadImagePolicy(), BadImages(1))
    for index in range(6):
        assert (plain[index]['inputs'] == guarded[index]['inputs']).all()


def test_formats_that_pass_the_header(loader, tmp_path):
    formats = ['jpeg', 'bmp', 'webp', 'tiff', 'ppm', 'png']
    (tmp_path / 'set').mkdir()
    for index, name in enumerate(formats):
        Image.new('RGB', (30, 20)).save(tmp_path / f'set/{index}.png', format=name)
    data = images(tmp_path / 'set', loader, BadImagePolicy(), None)
    assert all(data[index] for index in range(6))


def test_each_file_is_reported_once(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(module, 'print_log', lambda text, **_: said.append(text))
    bad = BadImages(2, tmp_path / 'bad.jsonl')
    for name in ('a', 'a', 'b', 'a'):
        bad.add(name, CorruptImageError(f'{name} is bad'))
    assert [text.split(': ')[0] for text in said] == [
        f'skipped a bad image ({count} so far)' for count in (1, 2)
    ]
    assert bad.files == {'a': 'a is bad', 'b': 'b is bad'}


def test_names_of_any_kind_and_half_a_line(tmp_path):
    bad = BadImages(9, tmp_path / 'bad.jsonl')
    names = ['a\nb.jpg', 'ü "x".jpg', '\udcff.jpg']
    for name in names:
        bad.add(name, CorruptImageError('bad'))
    with open(bad.path, 'a') as file:
        file.write('{"file": "killed wh')
    assert list(bad.files) == names


def test_copies_count_together_and_a_temporary_file_goes():
    bad = BadImages(5)
    copy.deepcopy(bad).add('x', CorruptImageError('x'))
    path = bad.path
    assert (bad.count, path.exists()) == (1, True)
    del bad
    assert not path.exists()


@pytest.mark.parametrize(
    ('options', 'images', 'limit'),
    [({}, 10, 1), ({}, 1000, 10), ({}, 10**6, 100), ({'max_count': 0}, 1000, 0)],
)
def test_limit(options, images, limit):
    assert BadImagePolicy(**options).limit(images) == limit


@pytest.mark.parametrize(
    'options', [{'max_count': -1}, {'max_fraction': 1.5}, {'max_pixels': 0}]
)
def test_bad_policy(options):
    with pytest.raises(ValueError, match=f'bad_images needs .*{next(iter(options))}='):
        BadImagePolicy(**options)
