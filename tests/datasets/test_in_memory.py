import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from msbreg_mm.datasets.image_store import ImageStore, resized_shape
from msbreg_mm.datasets.in_memory import InMemoryImages
from msbreg_mm.datasets.transforms.reading import CorruptImageError

VIEWS = [
    {'type': 'msbreg_mm.MultiViewAugment', 'views': [{'num_views': 3, 'size': 16}]},
    {'type': 'PackInputs'},
]


def picture(index, shape=(20, 30)):
    """A flat image that tells its index by its level."""
    return np.full((*shape, 3), 10 * index, np.uint8)


def level(image):
    return int(image[0, 0, 0]) // 10


def encode(image):
    return cv2.imencode('.png', image)[1].tobytes()


@pytest.fixture
def classes(tmp_path):
    """Three images of each of two classes, in subfolders."""
    for index in range(6):
        path = tmp_path / 'images' / f'class_{index // 3}' / f'{index}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture(index)))
    return tmp_path / 'images'


@pytest.fixture
def flat(tmp_path):
    """Six images in one folder."""
    folder = tmp_path / 'flat'
    folder.mkdir()
    for index in range(6):
        (folder / f'{index}.png').write_bytes(encode(picture(index)))
    return folder


def write_npz(path, images, **changes):
    """Write a pack of encoded images; returns its folder."""
    files = [encode(image) for image in images]
    arrays = {
        'jpeg': np.frombuffer(b''.join(files), np.uint8),
        'offset': np.cumsum([0] + [len(file) for file in files]),
        'label': np.arange(len(images)) % 2,
        **changes,
    }
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez_compressed(path, **arrays)
    return str(path.parent)


def test_folder_of_classes(classes):
    data = InMemoryImages(data_root=str(classes.parent), data_prefix='images')
    assert data.metainfo['classes'] == ('class_0', 'class_1')
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert [level(image) for image in data.images] == list(range(6))
    info = data.get_data_info(4)
    assert (info['gt_label'], info['sample_idx']) == (1, 4)
    assert info['img_shape'] == info['ori_shape'] == (20, 30)
    assert (info['img'] == 40).all()


@pytest.mark.parametrize('with_label', [None, False])
def test_folder_without_classes(flat, with_label):
    data = InMemoryImages(data_root=str(flat), with_label=with_label)
    assert [level(image) for image in data.images] == list(range(6))
    with pytest.raises(ValueError, match='has no labels'):
        _ = data.labels


def test_class_folders_read_without_labels(classes):
    data = InMemoryImages(data_root=str(classes), with_label=False)
    assert len(data) == 6
    assert 'gt_label' not in data.get_data_info(0)


@pytest.mark.parametrize('labelled', [True, False])
def test_list_of_files(flat, labelled):
    lines = [f'{index}.png' + f' {index % 3}' * labelled for index in (5, 0, 2)]
    (flat / 'list.txt').write_text('\n'.join(lines) + '\n')
    data = InMemoryImages(data_root=str(flat), ann_file='list.txt')
    assert [level(image) for image in data.images] == [5, 0, 2]
    if labelled:
        assert data.labels.tolist() == [2, 0, 2]
    else:
        assert not data.with_label


@pytest.mark.parametrize('labelled', [True, False])
def test_npz(tmp_path, labelled):
    changes = {} if labelled else {'label': None}
    root = write_npz(tmp_path / 'a.npz', [picture(i) for i in range(5)], **changes)
    data = InMemoryImages(data_root=root, ann_file='a.npz')
    assert data.images.shape == (5, 20, 30, 3)
    assert [level(image) for image in data.images] == list(range(5))
    assert bool(data.with_label) == labelled
    if labelled:
        assert data.labels.tolist() == [0, 1, 0, 1, 0]


def test_shared_pack(shared_data):
    root = shared_data / 'cifar10_24k'
    data = InMemoryImages(data_root=str(root), ann_file='val.npz')
    with np.load(root / 'val.npz') as pack:
        jpeg, offset, label = pack['jpeg'], pack['offset'], pack['label']
    assert data.images.shape == (4000, 32, 32, 3)
    assert (data.labels == label).all()
    for index in (0, 1234, 3999):
        encoded = jpeg[offset[index] : offset[index + 1]]
        assert (data.images[index] == cv2.imdecode(encoded, cv2.IMREAD_COLOR)).all()


def test_shared_folder(shared_data):
    root = shared_data / 'caltech101_80px'
    data = InMemoryImages(data_root=str(root), data_prefix='val', short_side=32)
    assert len(data) == 594
    assert min(min(image.shape[:2]) for image in data.images) == 32
    assert len(set(data.labels.tolist())) == 99


@pytest.mark.parametrize('short_side', [10, 20, 40])
def test_short_side(flat, short_side):
    (flat / '6.png').write_bytes(encode(picture(6, (60, 20))))
    data = InMemoryImages(data_root=str(flat), short_side=short_side)
    assert data.images[0].shape == (short_side, short_side * 3 // 2, 3)
    assert data.images[6].shape == (short_side * 3, short_side, 3)
    assert [level(image) for image in data.images] == list(range(7))


def test_images_of_different_shapes_and_modes(tmp_path):
    shapes = [(1, 1), (7, 5), (40, 3)]
    for index, shape in enumerate(shapes):
        Image.fromarray(picture(index, shape)).save(tmp_path / f'{index}.png')
    Image.fromarray(picture(3)).convert('L').save(tmp_path / '3.png')
    Image.fromarray(picture(4)).convert('RGBA').save(tmp_path / '4.png')
    Image.fromarray(picture(5)).convert('CMYK').save(tmp_path / '5.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: the header says 20×30, the decoder gives 30×20
    Image.fromarray(picture(6)).save(tmp_path / '6.jpg', exif=exif)
    data = InMemoryImages(data_root=str(tmp_path))
    expected = [*shapes, (20, 30), (20, 30), (20, 30), (30, 20)]
    assert [image.shape[:2] for image in data.images] == expected
    assert [round(image.mean() / 10) for image in data.images] == list(range(7))


def test_max_images_are_spread_over_the_classes(classes):
    data = InMemoryImages(data_root=str(classes), max_images=2)
    assert data.labels.tolist() == [0, 1]
    assert [level(image) for image in data.images] == [0, 3]
    assert len(InMemoryImages(data_root=str(classes), max_images=99)) == 6


def test_indices_and_subset_share_the_store(classes):
    data = InMemoryImages(data_root=str(classes), indices=[5, 1])
    assert [level(image) for image in data.images] == [5, 1]
    assert data.store.buffer.size == 2 * 20 * 30 * 3
    subset = data.get_subset([1])
    assert subset.store is data.store
    assert [level(image) for image in subset.images] == [1]


def test_lazy_init(flat):
    data = InMemoryImages(data_root=str(flat), lazy_init=True)
    assert data.store is None
    assert level(data[3]['img']) == 3


def test_what_is_served_can_be_overwritten(flat):
    data = InMemoryImages(data_root=str(flat))
    data[2]['img'][:] = 0
    assert level(data[2]['img']) == 2


@pytest.mark.parametrize('num_workers', [0, 2])
def test_pipeline_in_workers(classes, num_workers):
    data = InMemoryImages(data_root=str(classes), pipeline=VIEWS)
    loader = DataLoader(
        data, batch_size=6, num_workers=num_workers, collate_fn=default_collate
    )
    (batch,) = list(loader)
    assert [tuple(view.shape) for view in batch['inputs']] == [(6, 3, 16, 16)] * 3
    assert [int(s.gt_label) for s in batch['data_samples']] == [0, 0, 0, 1, 1, 1]


def test_resized_shape_by_hand():
    assert resized_shape(20, 30, None) == (20, 30)
    assert resized_shape(20, 31, 10) == (10, 16)
    assert resized_shape(31, 20, 10) == (16, 10)


def test_store_keeps_images_apart():
    store = ImageStore(np.array([4, 0, 6]))
    store[2] = picture(2, (2, 3))
    store[0] = picture(1, (4, 1))
    assert store.buffer.tolist() == [10] * 12 + [20] * 18


# -- what can be wrong ---------------------------------------------------------------


def test_missing_folder_and_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no folder .*gone.*data_root'):
        InMemoryImages(data_root=str(tmp_path / 'gone'))
    with pytest.raises(FileNotFoundError, match=r'no annotation file .*gone\.txt'):
        InMemoryImages(data_root=str(tmp_path), ann_file='gone.txt')


def test_missing_image_is_named(flat):
    (flat / 'list.txt').write_text('0.png\nlost.png\n')
    with pytest.raises(FileNotFoundError, match=r'no image file .*lost\.png'):
        InMemoryImages(data_root=str(flat), ann_file='list.txt')
    data = InMemoryImages(data_root=str(flat), ann_file='list.txt', on_corrupt='skip')
    assert len(data) == 1


@pytest.mark.parametrize('with_label', [None, True, False])
def test_empty_folder(tmp_path, with_label):
    (tmp_path / 'notes.md').write_text('no image')
    with pytest.raises(ValueError, match=f'no images below .*{tmp_path.name}'):
        InMemoryImages(data_root=str(tmp_path), with_label=with_label)


@pytest.mark.parametrize('text', ['', '\n\n'])
def test_empty_list(flat, text):
    (flat / 'list.txt').write_text(text)
    with pytest.raises(ValueError, match=r'list\.txt.* lists no images'):
        InMemoryImages(data_root=str(flat), ann_file='list.txt')


def test_line_without_label_is_named(flat):
    (flat / 'list.txt').write_text('0.png 1\n1.png\n')
    with pytest.raises(ValueError, match=r'list\.txt:2 is not "path label": \'1\.png'):
        InMemoryImages(data_root=str(flat), ann_file='list.txt', with_label=True)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'jpeg': None}, r'a\.npz has no array jpeg, only offset, label'),
        ({'offset': np.array([0, 10**9])}, 'offset does not fit jpeg'),
        ({'offset': np.array([0, 9, 5])}, 'offset does not fit jpeg'),
        ({'offset': np.array([], int)}, 'offset does not fit jpeg'),
        ({'offset': np.array([0])}, r'a\.npz.* lists no images'),
        ({'label': np.array([1, 2, 3])}, '3 labels for 2 images'),
    ],
)
def test_bad_npz(tmp_path, changes, message):
    if changes.get('offset') is not None and len(changes['offset']) == 1:
        changes = {**changes, 'label': np.array([], int)}
    root = write_npz(tmp_path / 'a.npz', [picture(0), picture(1)], **changes)
    with pytest.raises(ValueError, match=message):
        InMemoryImages(data_root=root, ann_file='a.npz')


def test_npz_that_is_none(tmp_path):
    (tmp_path / 'a.npz').write_bytes(b'not an archive')
    with pytest.raises(ValueError, match=r'a\.npz is no readable \.npz'):
        InMemoryImages(data_root=str(tmp_path), ann_file='a.npz')


@pytest.mark.parametrize('content', [b'', b'no image', encode(picture(9))[:60]])
def test_corrupt_image(flat, content):
    (flat / '2.png').write_bytes(content)
    with pytest.raises(CorruptImageError, match=r"cannot decode '.*2\.png'"):
        InMemoryImages(data_root=str(flat))
    data = InMemoryImages(data_root=str(flat), on_corrupt='skip')
    assert [level(image) for image in data.images] == [0, 1, 3, 4, 5]
    assert [level(data[i]['img']) for i in range(5)] == [0, 1, 3, 4, 5]


def test_image_whose_size_only_the_decoder_knows(flat):
    # Pillow does not know Radiance pictures, so that their size is not limited.
    radiance = cv2.imencode('.hdr', picture(2).astype(np.float32))[1].tobytes()
    (flat / '2.png').write_bytes(radiance)
    with pytest.raises(CorruptImageError, match=r"2\.png'.*not an image"):
        InMemoryImages(data_root=str(flat))


def test_too_many_corrupt_images(flat):
    for index in (1, 2):
        (flat / f'{index}.png').write_bytes(b'no image')
    message = r'2 of 6 images .* more than the 1 that .*1\.png.*2\.png'
    with pytest.raises(CorruptImageError, match=message):
        InMemoryImages(data_root=str(flat), on_corrupt='skip')
    allowed = {'max_fraction': 0.5}
    data = InMemoryImages(data_root=str(flat), on_corrupt='skip', bad_images=allowed)
    assert len(data) == 4


def test_only_corrupt_images(tmp_path):
    (tmp_path / '0.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'no image of .* can be decoded'):
        InMemoryImages(data_root=str(tmp_path), on_corrupt='skip')


def test_memory_limit_names_both_numbers(flat):
    limit = 5 * 20 * 30 * 3 / 2**30  # room for five of the six images
    message = r'6 decoded images .* need 1\.01e-05 GiB, more than max_memory_gib=8\.38'
    with pytest.raises(MemoryError, match=message):
        InMemoryImages(data_root=str(flat), max_memory_gib=limit)
    InMemoryImages(data_root=str(flat), max_memory_gib=limit, max_images=5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'short_side': 0}, 'short_side must be positive, got 0'),
        ({'max_images': 0}, 'max_images must be positive, got 0'),
        ({'max_memory_gib': -1}, 'max_memory_gib must be positive, got -1'),
        ({'on_corrupt': 'ignore'}, "'raise' or 'skip', got 'ignore'"),
    ],
)
def test_bad_arguments(flat, arguments, message):
    with pytest.raises(ValueError, match=message):
        InMemoryImages(data_root=str(flat), **arguments)


def test_import_leaves_mmdet_alone():
    code = (
        'import sys; import msbreg_mm.datasets.in_memory; '
        "assert 'mmdet' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
