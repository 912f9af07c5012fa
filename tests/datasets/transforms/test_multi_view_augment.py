import random
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, worker_init_fn
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.models import SelfSupDataPreprocessor
from photographs import photographs
from PIL import Image
from scipy.stats import ks_2samp
from torch.utils.data import DataLoader
from torchvision import transforms as tv

from msbreg_mm.datasets.transforms import MultiViewAugment, colour
from msbreg_mm.datasets.transforms.reading import CorruptImageError
from msbreg_mm.registry import TRANSFORMS

NOTHING = {
    'crop_scale': (1.0, 1.0),
    'crop_ratio': (1.0, 1.0),
    'flip_prob': 0.0,
    'jitter_prob': 0.0,
    'gray_prob': 0.0,
    'blur_prob': 0.0,
    'solarize_prob': 0.0,
}


@pytest.fixture
def square():
    return np.ascontiguousarray(photographs()[0][:224, :224])


def one_view(image, **changes):
    augment = MultiViewAugment([{**NOTHING, 'size': image.shape[0], **changes}])
    (view,) = augment({'img': image})['img']
    return view


def test_nothing_drawn_is_the_image(square):
    assert (one_view(square) == square).all()


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({'flip_prob': 1.0}, lambda image: image[:, ::-1]),
        ({'gray_prob': 1.0}, colour.to_gray),
        (
            {'solarize_prob': 1.0, 'solarize_threshold': 100},
            lambda image: np.where(image >= 100, 255 - image, image),
        ),
        (
            {'blur_prob': 1.0, 'blur_sigma': (1.5, 1.5)},
            lambda image: colour.blur(image, 1.5),
        ),
        (
            {'gray_prob': 1.0, 'blur_prob': 1.0, 'blur_sigma': (1, 1)},
            lambda image: colour.blur(colour.to_gray(image), 1),
        ),
    ],
)
def test_one_augmentation(square, change, expected):
    before = square.copy()
    assert (one_view(square, **change) == expected(square)).all()
    assert (square == before).all()


def test_default_is_byols_two_views(square):
    augment = MultiViewAugment()
    assert augment.num_views == 2
    assert [v.shape for v in augment({'img': square})['img']] == [(224, 224, 3)] * 2


def test_groups_of_views(square):
    augment = TRANSFORMS.build(
        {
            'type': 'msbreg_mm.MultiViewAugment',
            'views': [
                {'num_views': 2, 'size': 64},
                {'num_views': 6, 'size': 32, 'crop_scale': (0.05, 0.25)},
            ],
        }
    )
    assert augment.num_views == 8
    views = augment({'img': square})['img']
    assert [view.shape[0] for view in views] == [64] * 2 + [32] * 6
    assert len({view.tobytes() for view in views}) == 8
    assert 'num_views=6' in repr(augment)


def test_pack_inputs_takes_the_views_without_a_copy(square):
    packed = []
    for _ in range(3):
        results = MultiViewAugment()({'img': square, 'gt_label': 1})
        packed.append(PackInputs()(results))
        for view, tensor in zip(results['img'], packed[-1]['inputs'], strict=True):
            assert tensor.shape == (3, 224, 224)
            assert tensor.is_contiguous()
            assert tensor.data_ptr() == view.ctypes.data
            assert (tensor.permute(1, 2, 0).numpy() == view).all()
    batch = default_collate(packed)
    out = SelfSupDataPreprocessor(mean=[0, 0, 0], std=[1, 1, 1], to_rgb=True)(batch)
    assert [tuple(view.shape) for view in out['inputs']] == [(3, 3, 224, 224)] * 2
    bgr = torch.stack([sample['inputs'][0] for sample in packed]).float()
    torch.testing.assert_close(out['inputs'][0], bgr.flip(1))


def test_numpys_global_seed_is_the_only_one(square):
    augment = MultiViewAugment()

    def views(seed, other):
        np.random.seed(seed)
        random.seed(other)
        torch.manual_seed(other)
        return np.stack(augment({'img': square})['img'])

    assert (views(0, 0) == views(0, 1)).all()
    assert (views(0, 0) != views(1, 0)).any()


def test_workers_of_mmengine_draw_differently(square):
    augment = MultiViewAugment()
    drawn = set()
    for worker in range(2):
        worker_init_fn(worker, num_workers=2, rank=0, seed=3)
        drawn.add(augment({'img': square})['img'][0].tobytes())
    assert len(drawn) == 2


def test_opencv_uses_one_thread(square):
    cv2.setNumThreads(4)
    augment = MultiViewAugment()
    assert cv2.getNumThreads() == 1
    cv2.setNumThreads(4)
    augment({'img': square})
    assert cv2.getNumThreads() == 1


# -- what can be wrong ---------------------------------------------------------------


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'views': []}, r'K = 0, at least 1 view'),
        ({'views': [{'num_views': 0}]}, r'num_views must be an integer ≥ 1, got 0'),
        ({'views': [{'sizes': 3}]}, 'unknown key sizes'),
        ({'views': {'num_views': 2}}, 'views must be a list of dicts'),
        ({'on_corrupt': 'ignore'}, "'raise' or 'skip', got 'ignore'"),
        ({'max_corrupt': -1}, 'max_corrupt must be at least 0, got -1'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiViewAugment(**arguments)


def test_missing_file_is_an_error(tmp_path):
    results = {'img_path': str(tmp_path / 'gone.jpg')}
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg.*data_root'):
        MultiViewAugment()(results)
    augment = MultiViewAugment(on_corrupt='skip')
    assert augment(results) is None
    assert list(augment.skipped.files) == [results['img_path']]


@pytest.mark.parametrize(
    'image', [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8)]
)
def test_converted_image_is_an_error(image):
    with pytest.raises(ValueError, match=re.escape(str(image.shape))):
        MultiViewAugment()({'img': image})


def test_list_of_views_is_an_error(square):
    results = MultiViewAugment()({'img': square})
    with pytest.raises(ValueError, match=r"got None <class 'list'>"):
        MultiViewAugment()(results)


def test_views_of_one_pixel(square):
    augment = MultiViewAugment([{'num_views': 9, 'size': 1}])
    assert np.stack(augment({'img': square})['img']).shape == (9, 1, 1, 3)


def test_nothing_to_read_is_an_error():
    with pytest.raises(KeyError, match='img, img_bytes or img_path'):
        MultiViewAugment()({'gt_label': 3})


def test_corrupt_bytes(square):
    truncated = cv2.imencode('.jpg', square)[1].tobytes()[:-200]
    with pytest.raises(CorruptImageError, match=r"cannot decode 'a\.jpg'"):
        MultiViewAugment()({'img_bytes': truncated, 'img_path': 'a.jpg'})
    augment = MultiViewAugment(on_corrupt='skip', max_corrupt=1)
    for _ in range(2):  # two epochs
        assert augment({'img_bytes': truncated}) is None
    assert augment.skipped.count == 1
    with pytest.raises(CorruptImageError, match='raise max_corrupt'):
        augment({'img_bytes': truncated[:-1]})


@pytest.mark.parametrize('shape', [(1, 1), (3, 200), (200, 3), (40, 50)])
@pytest.mark.parametrize('interpolation', ['bicubic', 'bilinear', 'area'])
def test_images_smaller_than_the_view(shape, interpolation):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    augment = MultiViewAugment([{'num_views': 8, 'interpolation': interpolation}])
    assert np.stack(augment({'img': image})['img']).shape == (8, 224, 224, 3)


@pytest.fixture
def folder(tmp_path, square):
    """Twelve images of all modes, two of them truncated."""
    modes = ['RGB', 'L', 'RGBA', 'CMYK', 'P', 'I;16']
    for index in range(12):
        mode = modes[index % 6]
        path = tmp_path / f'{index:02}.{"jpg" if mode == "CMYK" else "png"}'
        if mode == 'I;16':
            Image.fromarray(square[..., 0].astype(np.uint16) * 257).save(path)
        else:
            Image.fromarray(square).convert(mode).save(path)
        if index in (3, 7):
            path.write_bytes(path.read_bytes()[:3000])
    return tmp_path


def dataset(folder, **arguments):
    augment = MultiViewAugment([{'size': 32}], on_corrupt='skip', **arguments)
    return CustomDataset(
        data_prefix=str(folder), with_label=False, pipeline=[augment, PackInputs()]
    )


def test_skips_are_counted_over_all_workers(folder):
    data = dataset(folder)
    loader = DataLoader(data, batch_size=3, num_workers=2, collate_fn=default_collate)
    batches = list(loader)
    assert sum(len(batch['inputs'][0]) for batch in batches) == 12
    assert data.pipeline.transforms[0].skipped.count == 2


def test_too_many_skips_stop_the_workers(folder):
    data = dataset(folder, max_corrupt=1)
    batches = iter(
        DataLoader(data, batch_size=12, num_workers=1, collate_fn=default_collate)
    )
    with pytest.raises(CorruptImageError, match='more than max_corrupt=1'):
        next(batches)
    # An iterator that is dropped unfinished waits five seconds for each worker.
    assert next(batches, None) is None


@pytest.mark.slow
def test_spawned_workers(folder):
    data = dataset(folder)
    loader = DataLoader(
        data,
        batch_size=12,
        num_workers=1,
        collate_fn=default_collate,
        multiprocessing_context='spawn',
    )
    assert next(iter(loader))['inputs'][0].shape == (12, 3, 32, 32)
    assert data.pipeline.transforms[0].skipped.count == 2


# -- statistics against torchvision --------------------------------------------------


def torchvision_views(size, blur_prob, solarize_prob):
    """BYOL's view as torchvision's transforms on PIL images."""
    jitter = tv.ColorJitter(0.4, 0.4, 0.2, 0.1)
    blur = tv.GaussianBlur(23, (0.1, 2.0))
    return tv.Compose(
        [
            tv.RandomResizedCrop(size, interpolation=Image.BICUBIC),
            tv.RandomHorizontalFlip(),
            tv.RandomApply([jitter], 0.8),
            tv.RandomGrayscale(0.2),
            tv.RandomApply([blur], blur_prob),
            tv.RandomSolarize(128, solarize_prob),
        ]
    )


def describe(view):
    """Mean, contrast, saturation, hue as a vector, sharpness of one BGR view."""
    view = np.ascontiguousarray(view)
    hsv = cv2.cvtColor(view.astype(np.float32) / 255, cv2.COLOR_BGR2HSV)
    hue = np.deg2rad(hsv[..., 0])
    gray = cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)
    return {
        'blue': view[..., 0].mean(),
        'green': view[..., 1].mean(),
        'red': view[..., 2].mean(),
        'contrast': gray.std(),
        'saturation': 100 * hsv[..., 1].mean(),
        'cos hue': 100 * (hsv[..., 1] * np.cos(hue)).mean(),
        'sin hue': 100 * (hsv[..., 1] * np.sin(hue)).mean(),
        'sharpness': np.log(1 + cv2.Laplacian(gray, cv2.CV_32F).std()),
    }


@pytest.mark.parametrize(('size', 'draws'), [(112, 100), (64, 150)])
@pytest.mark.parametrize(('blur_prob', 'solarize_prob'), [(1.0, 0.0), (0.1, 0.2)])
def test_views_are_distributed_as_torchvisions(size, draws, blur_prob, solarize_prob):
    np.random.seed(0)
    torch.manual_seed(0)
    augment = MultiViewAugment(
        [
            {
                'num_views': draws,
                'size': size,
                'blur_prob': blur_prob,
                'solarize_prob': solarize_prob,
            }
        ]
    )
    reference = torchvision_views(size, blur_prob, solarize_prob)
    for photograph in photographs()[:3]:
        picture = Image.fromarray(photograph[..., ::-1].copy())
        mine = [describe(view) for view in augment({'img': photograph})['img']]
        theirs = [
            describe(np.asarray(reference(picture))[..., ::-1]) for _ in range(draws)
        ]
        for name in mine[0]:
            a = np.array([values[name] for values in mine])
            b = np.array([values[name] for values in theirs])
            error = np.sqrt((a.var() + b.var()) / draws)
            assert abs(a.mean() - b.mean()) < 4 * error, name
            assert 0.7 < a.std() / b.std() < 1.4, name
            assert ks_2samp(a, b).pvalue > 1e-3, name


def test_reduced_decode_draws_the_same_crops():
    large = cv2.resize(photographs()[0], (2400, 1800), interpolation=cv2.INTER_CUBIC)
    encoded = cv2.imencode('.jpg', large, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    views = []
    for reduced in (True, False):
        augment = MultiViewAugment(
            [{'num_views': 8, 'size': 96, 'blur_prob': 0.0}], reduced_decode=reduced
        )
        np.random.seed(0)
        views.append(np.stack(augment({'img_bytes': encoded})['img']))
        assert augment._halvings(encoded) == (2 if reduced else 0)
    # Rounding moves a crop by up to a pixel of the view, so statistics are compared.
    for reduced, full in zip(*views, strict=True):
        assert reduced.mean() == pytest.approx(full.mean(), abs=1.5)
        assert reduced.std() == pytest.approx(full.std(), rel=0.03)
    sharpness = [cv2.Laplacian(np.concatenate(v), cv2.CV_32F).std() for v in views]
    assert sharpness[0] / sharpness[1] == pytest.approx(1, abs=0.1)
