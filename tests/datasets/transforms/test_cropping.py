import math

import cv2
import numpy as np
import pytest
import torch
from photographs import photographs, rmse
from PIL import Image
from scipy.stats import ks_2samp, kstest
from torchvision.transforms import RandomResizedCrop

from msbreg_mm.datasets.transforms import ViewConfig
from msbreg_mm.datasets.transforms.cropping import (
    Pyramid,
    draw_crop,
    needless_halvings,
    resize_crop,
)


def draw_boxes(view, height, width, count):
    np.random.seed(0)
    return np.array(
        [
            draw_crop(view, height, width, np.random.random_sample(4))
            for _ in range(count)
        ]
    )


def test_crop_by_hand():
    # Half the area of 100×200 with ratio 1 is a square of 100; top 0, left 50.
    view = ViewConfig(crop_scale=(0.25, 0.75), crop_ratio=(0.5, 2))
    assert draw_crop(view, 100, 200, (0.5, 0.5, 0.9, 0.5)) == (50, 0, 100, 100)


@pytest.mark.parametrize('shape', [(375, 500), (500, 375), (60, 300), (32, 32)])
@pytest.mark.parametrize('scale', [(0.08, 1.0), (0.05, 0.25)])
def test_crops_are_distributed_as_torchvisions(shape, scale):
    boxes = draw_boxes(ViewConfig(crop_scale=scale), *shape, 1500)
    torch.manual_seed(0)
    blank = torch.empty(3, *shape)
    theirs = np.array(
        [
            RandomResizedCrop.get_params(blank, list(scale), [3 / 4, 4 / 3])
            for _ in range(1500)
        ]
    )
    left, top, width, height = boxes.T
    their_top, their_left, their_height, their_width = theirs.T
    for mine, other in [
        (width * height, their_width * their_height),
        (width / height, their_width / their_height),
        (left, their_left),
        (top, their_top),
    ]:
        assert ks_2samp(mine, other).pvalue > 1e-3


def test_positions_are_uniform():
    left, top, width, height = draw_boxes(ViewConfig(), 3750, 5000, 1500).T
    for start, free in [(left, 5000 - width), (top, 3750 - height)]:
        assert kstest(start / (free + 1), 'uniform').pvalue > 1e-3


@pytest.mark.parametrize('shape', [(1, 1), (1, 100), (100, 1), (3, 5)])
def test_crops_of_tiny_images_stay_inside(shape):
    for left, top, width, height in draw_boxes(ViewConfig(), *shape, 200):
        assert left >= 0
        assert top >= 0
        assert 1 <= width <= shape[1] - left
        assert 1 <= height <= shape[0] - top


@pytest.mark.parametrize(
    ('shape', 'box'),
    [((30, 300), (130, 0, 40, 30)), ((400, 30), (0, 180, 30, 40))],
)
def test_crop_that_never_fits_is_central(shape, box):
    view = ViewConfig(crop_scale=(0.9, 1.0))
    assert draw_crop(view, *shape, (0.5,) * 4) == box


def test_pyramid_averages_by_hand():
    image = np.array([[[0], [4], [1]], [[8], [12], [1]]], np.uint8).repeat(3, 2)
    assert Pyramid(image).level(1).tolist() == [[[6, 6, 6]]]


@pytest.mark.parametrize('shrink', [0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.2, 2.8, 3.5])
def test_resize_is_close_to_pillows_antialiased_bicubic(shrink):
    errors = []
    for image in photographs():
        side = int(shrink * 96) // 4 * 4
        crop = np.ascontiguousarray(image[20 : 20 + side, 40 : 40 + side])
        mine = resize_crop(Pyramid(image), (40, 20, side, side), 96, 'bicubic')
        theirs = np.asarray(Image.fromarray(crop).resize((96, 96), Image.BICUBIC))
        errors.append(rmse(mine, theirs))
    assert np.mean(errors) < 4


@pytest.mark.parametrize('interpolation', ['bicubic', 'bilinear', 'area'])
@pytest.mark.parametrize('size', [1, 7, 224])
def test_resize_keeps_a_flat_image(interpolation, size):
    flat = np.full((90, 120, 3), 77, np.uint8)
    view = resize_crop(Pyramid(flat), (3, 5, 110, 80), size, interpolation)
    assert view.shape == (size, size, 3)
    assert (view == 77).all()


def test_small_bicubic_views_are_pillows_too_and_leave_ipp_as_it_was():
    before = cv2.ipp.useIPP()
    for image in photographs():
        crop = np.ascontiguousarray(image[20:45, 40:62])
        mine = resize_crop(Pyramid(image), (40, 20, 22, 25), 32, 'bicubic')
        theirs = np.asarray(Image.fromarray(crop).resize((32, 32), Image.BICUBIC))
        assert rmse(mine, theirs) < 2.5
    assert cv2.ipp.useIPP() == before


def test_area_is_the_mean():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    view = resize_crop(Pyramid(image), (0, 0, 64, 64), 16, 'area')
    mean = image.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(view - mean).max() <= 0.5


def test_needless_halvings_by_hand():
    # The smallest crop of an S×S image has a side of 0.25 S; 1.8 · 100 px is the
    # least from which a crop is taken from a halved image.
    view = ViewConfig(size=100, crop_scale=(1 / 16, 1))
    sides = [719, 721, 1439, 1441, 2881, 9999]
    assert [needless_halvings([view], s, s) for s in sides] == [0, 1, 1, 2, 3, 3]
    larger = ViewConfig(size=200, crop_scale=(1 / 16, 1))
    assert needless_halvings([view, larger], 721, 721) == 0
    assert needless_halvings([ViewConfig(size=8, interpolation='area')], 999, 999) == 0


def test_needless_halvings_agree_with_the_levels_taken():
    view = ViewConfig(size=32)
    image = np.zeros((600, 800, 3), np.uint8)
    least = math.inf
    for box in draw_boxes(view, 600, 800, 300):
        pyramid = Pyramid(image)
        resize_crop(pyramid, tuple(box), view.size, 'bicubic')
        least = min(least, len(pyramid.levels) - 1)
    assert needless_halvings([view], 600, 800) == least


def test_further_attempts_come_from_the_given_draws():
    view = ViewConfig(size=8, crop_scale=(0.5, 1.0), crop_ratio=(1.0, 1.0))
    draws = [0.9, 0.5, 0.0, 0.0, 0.99, 0.5, 0.0, 0.5] + [0.9] * 14
    before = np.random.get_state()[2]
    # Neither 0.95 nor 0.995 of the area is a square that fits; half of it is.
    assert draw_crop(view, 100, 200, draws) == (0, 0, 100, 100)
    assert np.random.get_state()[2] == before, 'nothing is drawn elsewhere'
