from itertools import product

import cv2
import numpy as np
import pytest
import torch
from photographs import photographs, rmse
from torchvision.transforms import functional as tv

from msbreg_mm.datasets.transforms import colour

ADJUST = [
    tv.adjust_brightness,
    tv.adjust_contrast,
    tv.adjust_saturation,
    tv.adjust_hue,
]
NOTHING = (1.0, 1.0, 1.0, 0.0)


def torchvision_chain(image, factors, order):
    picture = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)
    for index in order:
        picture = ADJUST[index](picture, factors[index])
    return picture.permute(1, 2, 0).numpy()[..., ::-1]


def draw(rng):
    factors = 1 + np.array([0.4, 0.4, 0.2, 0.1]) * rng.uniform(-1, 1, 4)
    factors[3] -= 1
    return factors.tolist(), colour.ORDERS[rng.integers(24)]


@pytest.fixture(scope='module')
def views():
    return [cv2.resize(p[20:320, 50:370], (160, 160)) for p in photographs()]


@pytest.mark.parametrize(('index', 'factor'), list(product(range(4), (-1, 1))))
def test_each_operation_is_torchvisions(views, index, factor):
    factors = list(NOTHING)
    factors[index] += factor * (0.1, 0.4)[index < 3]
    for view in views:
        mine = colour.apply_chain(view, factors, (index,))
        theirs = torchvision_chain(view, factors, (index,))
        assert rmse(mine, theirs) < 1.2


def test_chain_is_torchvisions(views):
    rng = np.random.default_rng(0)
    for view in views * 3:
        factors, order = draw(rng)
        mine = colour.apply_chain(view, factors, order)
        assert rmse(mine, torchvision_chain(view, factors, order)) < 2.5


def test_fit_of_one_operation_by_hand(views):
    brighter = colour.fit_chain(views[1], (0.5, 1, 1, 0), (0, 1, 2, 3))
    np.testing.assert_allclose(brighter, np.eye(3, 4) * 0.5, atol=0.3)
    np.testing.assert_allclose(brighter[:, :3], np.eye(3) * 0.5, atol=0.02)
    gray = colour.fit_chain(views[1], (1, 1, 0, 0), (0, 1, 2, 3))
    np.testing.assert_allclose(gray[:, :3], [colour.GRAY_WEIGHTS] * 3, atol=0.02)


def test_fit_is_close_to_the_chain(views):
    rng = np.random.default_rng(0)
    error, change, shift, spread = [], [], [], []
    for view in views * 30:
        factors, order = draw(rng)
        exact = colour.apply_chain(view, factors, order)
        fitted = colour.jitter(view, factors, order)
        error.append(rmse(fitted, exact))
        change.append(rmse(view, exact))
        shift.append(fitted.mean((0, 1)) - exact.mean((0, 1)))
        spread.append(fitted.std() / exact.std())
    assert np.mean(error) < 0.12 * np.mean(change)
    assert np.percentile(error, 95) < 10
    assert np.abs(np.mean(shift, axis=0)).max() < 0.3
    assert np.percentile(np.abs(shift), 99) < 2.5
    assert np.mean(spread) == pytest.approx(1, abs=0.01)


def test_fit_is_not_flattened_by_clamped_samples():
    # Plain least squares gives this ramp, clamped from level 182 on, a slope of 1.1.
    ramp = np.linspace(0, 255, 160).astype(np.uint8)[None, :, None]
    view = np.broadcast_to(ramp, (160, 160, 3)).copy()
    matrix = colour.fit_chain(view, (1.4, 1, 1, 0), (0, 1, 2, 3))
    assert matrix[:, :3].sum(axis=1) == pytest.approx([1.4] * 3, abs=0.01)


@pytest.mark.parametrize('level', [0, 128, 255])
def test_fit_of_a_flat_view(level):
    view = np.full((160, 160, 3), level, np.uint8)
    factors = (0.7, 1.3, 1.1, 0.1)
    fitted = colour.jitter(view, factors, (0, 1, 2, 3))
    assert np.abs(fitted.astype(int) - round(0.7 * level)).max() <= 2


def test_fit_keeps_grey_grey(views):
    view = colour.to_gray(views[0])
    fitted = colour.jitter(view, (1.2, 0.8, 1.2, 0.1), (3, 0, 2, 1)).astype(int)
    assert np.ptp(fitted, axis=2).max() <= 2


def test_small_and_exact_views_get_the_chain_itself(views):
    factors, order = (1.2, 0.8, 1.2, 0.1), (3, 0, 2, 1)
    small = views[0][:96, :96]
    for view, exact in [(small, False), (views[0], True)]:
        expected = colour.apply_chain(view, factors, order)
        assert (colour.jitter(view, factors, order, exact) == expected).all()


def test_nothing_changes_nothing(views):
    assert (colour.apply_chain(views[0], NOTHING, (0, 1, 2, 3)) == views[0]).all()
    matrix = colour.fit_chain(views[0], NOTHING, (0, 1, 2, 3))
    np.testing.assert_allclose(matrix, np.eye(3, 4), atol=1e-6)


def test_kernels_sum_to_one_and_have_the_variance_asked_for():
    for step in range(1, 200):
        kernel = colour._kernel(step)
        if kernel is None:
            assert step / 50 < 0.35
            continue
        assert kernel.sum() == 1
        assert (kernel == kernel[::-1]).all()
        offsets = np.arange(len(kernel)) - len(kernel) // 2
        # Sampled Gaussians have less variance than sigma² when sigma is small.
        if step >= 30:
            sigma = float(np.sqrt((kernel * offsets**2).sum()))
            assert sigma == pytest.approx(step / 50, rel=0.06)


@pytest.mark.parametrize('sigma', [0.1, 0.3, 0.5, 0.8, 1.3, 2.0])
def test_blur_is_torchvisions(views, sigma):
    for view in views:
        picture = torch.from_numpy(view).permute(2, 0, 1)
        theirs = tv.gaussian_blur(picture, [23, 23], [sigma, sigma])
        assert rmse(colour.blur(view, sigma), theirs.permute(1, 2, 0).numpy()) < 1.0


def test_strong_blur_is_torchvisions(views):
    picture = torch.from_numpy(views[0]).permute(2, 0, 1)
    theirs = tv.gaussian_blur(picture, [49, 49], [8.0, 8.0])
    assert rmse(colour.blur(views[0], 8.0), theirs.permute(1, 2, 0).numpy()) < 1.0


def test_blur_of_one_channel_and_of_flat(views):
    gray = cv2.cvtColor(views[0], cv2.COLOR_BGR2GRAY)
    three = colour.blur(colour.to_gray(views[0]), 1.5)
    assert (colour.blur(gray, 1.5) == three[..., 0]).all()
    for level in (0, 1, 100, 254, 255):
        flat = np.full((20, 20, 3), level, np.uint8)
        assert (colour.blur(flat, 1.7) == level).all()


@pytest.mark.parametrize('threshold', [0, 1, 128, 255, 256])
def test_solarize_is_torchvisions(views, threshold):
    mine = cv2.LUT(views[0], colour.solarize_table(threshold))
    theirs = tv.solarize(tv.to_pil_image(views[0]), threshold)
    assert (mine == np.asarray(theirs)).all()
