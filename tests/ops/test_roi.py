"""RoIAlign and RoIPool against explicit loops over samples and pixels."""

import itertools
import math

import pytest
import torch
from mmcv.ops import RoIAlign, RoIPool, roi_align, roi_pool

# One RoI partly outside, one whole, one of half a pixel, one of the second image.
ROIS = torch.tensor(
    [[0, -3, 2.5, 9, 11], [0, 0, 0, 14, 12], [1, 5, 5, 5.5, 5.5], [1, 2.2, 3, 7.7, 6.4]]
)
SCALE = 0.5


def feature_map(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 6, 7, generator=generator, dtype=torch.float64).to(dtype)


def bilinear(plane, y, x):
    """A sample of one channel, 0 from one pixel outside on."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return plane.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    total = plane.new_zeros(())
    for row in {math.floor(y), math.ceil(y)}:
        for column in {math.floor(x), math.ceil(x)}:
            total = total + plane[row, column] * (1 - abs(y - row)) * (
                1 - abs(x - column)
            )
    return total


def loop_roi_align(features, rois, size, scale, sampling_ratio, mode, aligned):
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for n, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (corner * scale - 0.5 * aligned for corner in corners)
        extent = [y2 - y1, x2 - x1]
        if not aligned:
            extent = [max(side, 1) for side in extent]
        bins = [side / count for side, count in zip(extent, size, strict=True)]
        grid = [sampling_ratio or math.ceil(side) for side in bins]
        for c, p, q in itertools.product(*map(range, output.shape[1:])):
            samples = [
                bilinear(
                    features[int(image), c],
                    y1 + bins[0] * (p + (i + 0.5) / grid[0]),
                    x1 + bins[1] * (q + (j + 0.5) / grid[1]),
                )
                for i, j in itertools.product(*map(range, grid))
            ]
            stack = torch.stack(samples)
            output[n, c, p, q] = stack.max() if mode == 'max' else stack.mean()
    return output


def loop_roi_pool(features, rois, size, scale):
    height, width = features.shape[2:]
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for n, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = x1 * scale, y1 * scale, (x2 + 1) * scale, (y2 + 1) * scale
        bins = (y2 - y1) / size[0], (x2 - x1) / size[1]
        for p, q in itertools.product(*map(range, size)):
            rows = range(
                max(math.floor(y1 + p * bins[0]), 0),
                min(math.ceil(y1 + (p + 1) * bins[0]), height),
            )
            columns = range(
                max(math.floor(x1 + q * bins[1]), 0),
                min(math.ceil(x1 + (q + 1) * bins[1]), width),
            )
            if rows and columns:
                part = features[int(image), :, rows.start : rows.stop]
                part = part[..., columns.start : columns.stop]
                output[n, :, p, q] = part.amax((1, 2))
    return output


def test_roi_align_of_a_ramp_is_the_position_of_the_bins(device):
    # Pixel x has its centre at x + 0.5, so a bin around 3 averages to 2.5.
    features = torch.arange(8.0, device=device).expand(1, 1, 8, 8)
    rois = torch.tensor([[0, 2.0, 1, 6, 5]], device=device)
    expected = torch.tensor([2.5, 4.5], device=device)
    output = roi_align(features, rois, 2, 1.0, 0, 'avg', True)
    torch.testing.assert_close(output[0, 0], expected.expand(2, 2))
    # Without alignment it is half a pixel further.
    output = roi_align(features, rois, 2, 1.0, 0, 'avg', False)
    torch.testing.assert_close(output[0, 0], (expected + 0.5).expand(2, 2))
    # Two samples per bin and axis: the maximum is half a pixel right of the mean.
    output = roi_align(features, rois, 2, 1.0, 2, 'max', True)
    torch.testing.assert_close(output[0, 0], (expected + 0.5).expand(2, 2))


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_agrees_with_a_loop(device, mode, aligned, sampling_ratio):
    features, rois = feature_map(), ROIS.double()
    arguments = ((2, 3), SCALE, sampling_ratio, mode, aligned)
    features.requires_grad_()
    expected = loop_roi_align(features, rois, *arguments)
    weights = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((expected * weights).sum(), features)

    moved = features.detach().to(device).requires_grad_()
    output = roi_align(moved, rois.to(device), *arguments)
    (output * weights.to(device)).sum().backward()
    torch.testing.assert_close(output.cpu(), expected)
    torch.testing.assert_close(moved.grad.cpu(), gradient)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align_gradient_numerically(mode):
    features = feature_map()[:, :1].clone().requires_grad_()
    rois = ROIS.double()
    torch.autograd.gradcheck(
        lambda x: roi_align(x, rois, 2, SCALE, 2, mode, True), features
    )


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align_in_half_precision_is_the_rounded_float32(device, half, mode):
    features = feature_map(half).to(device)
    # Coordinates that the half types hold exactly.
    rois = ROIS.mul(2).round().div(2).to(device)
    outputs, gradients = [], []
    for dtype in (half, torch.float32):
        leaf = features.to(dtype, copy=True).requires_grad_()
        output = roi_align(leaf, rois.to(dtype), 3, SCALE, 0, mode, True)
        assert output.dtype == dtype
        output.sum().backward()
        outputs.append(output.detach())
        gradients.append(leaf.grad)
    torch.testing.assert_close(outputs[0], outputs[1].to(half))
    torch.testing.assert_close(gradients[0], gradients[1].to(half))


def test_roi_align_takes_rois_of_another_type(half):
    features = feature_map(half)
    output = roi_align(features, ROIS, 2, SCALE, 0, 'avg', True)
    expected = roi_align(features.float(), ROIS, 2, SCALE, 0, 'avg', True)
    torch.testing.assert_close(output, expected.to(half))


def test_roi_align_under_autocast(device, half):
    layer = RoIAlign(2, SCALE)
    features, rois = feature_map(torch.float32).to(device), ROIS.to(device)
    expected = layer(features, rois)
    with torch.autocast(device.type, half):
        torch.testing.assert_close(layer(features, rois), expected)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('change', ['channels_last', 'transposed', 'strided'])
def test_roi_align_of_non_contiguous_tensors(mode, change):
    features = feature_map(torch.float32)
    expected_input = features.clone().requires_grad_()
    if change == 'channels_last':
        features = features.to(memory_format=torch.channels_last)
    elif change == 'transposed':
        features = features.mT.contiguous().mT
    else:
        features = features.repeat_interleave(2, 3)[..., ::2]
    assert not features.is_contiguous()
    features = features.detach().requires_grad_()
    rois = ROIS.T.contiguous().T
    for leaf, boxes in ((features, rois), (expected_input, ROIS)):
        output = roi_align(leaf, boxes, (2, 3), SCALE, 0, mode, True)
        output.mT.square().sum().backward()
    torch.testing.assert_close(features.grad, expected_input.grad)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_no_rois_give_an_empty_output_and_no_gradient(device, mode):
    features = feature_map(torch.float32).to(device).requires_grad_()
    output = roi_align(features, ROIS[:0].to(device), 3, SCALE, 0, mode, True)
    assert output.shape == (0, 2, 3, 3)
    output.sum().backward()
    assert not features.grad.any()


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_a_roi_without_area_gives_zeros(mode):
    features = feature_map(torch.float32).requires_grad_()
    rois = torch.tensor([[0, 3.0, 3, 3, 3], [0, 5.0, 5, 4, 4]])
    output = roi_align(features, rois, 2, 1.0, 0, mode, True)
    output.sum().backward()
    assert not output.any()
    assert not features.grad.any()


def test_roi_pool_by_hand(device):
    features = torch.arange(16.0, device=device).reshape(1, 1, 4, 4)
    rois = torch.tensor([[0, 0.0, 0, 3, 3], [0, 1.0, 1, 1, 2]], device=device)
    features.requires_grad_()
    output = roi_pool(features, rois, 2, 1.0)
    assert output[:, 0].tolist() == [[[5, 7], [13, 15]], [[5, 5], [9, 9]]]
    output.sum().backward()
    # How often each pixel is a maximum.
    counts = torch.zeros(16)
    counts[[5, 7, 13, 15]] = 1
    counts[[5, 9]] += 2
    torch.testing.assert_close(features.grad.cpu().flatten(), counts)


@pytest.mark.parametrize('size', [(2, 3), (1, 1), (5, 4)])
def test_roi_pool_agrees_with_a_loop(device, size):
    features = feature_map()
    expected = loop_roi_pool(features, ROIS, size, SCALE)
    output = roi_pool(features.to(device), ROIS.double().to(device), size, SCALE)
    torch.testing.assert_close(output.cpu(), expected)


def test_roi_pool_gradient_numerically():
    features = feature_map()[:, :1].clone().requires_grad_()
    rois = ROIS.double()
    torch.autograd.gradcheck(lambda x: roi_pool(x, rois, (2, 3), SCALE), features)


def test_roi_pool_outside_of_the_map_and_without_area_gives_zeros():
    features = feature_map(torch.float32).requires_grad_()
    rois = torch.tensor([[0, 50.0, 50, 60, 60], [0, 5.0, 5, 2, 2]])
    output = RoIPool(2, 1.0)(features, rois)
    output.sum().backward()
    assert not output.any()
    assert not features.grad.any()


def test_roi_pool_in_half_precision_and_of_no_rois(device, half):
    features = feature_map(half).to(device).requires_grad_()
    rois = ROIS[[1, 3]].round().to(device)
    output = roi_pool(features, rois.to(half), 2, SCALE)
    expected = roi_pool(features.float(), rois, 2, SCALE)
    torch.testing.assert_close(output, expected.to(half))
    output.sum().backward()
    assert features.grad.sum() == output.numel()
    empty = roi_pool(features, rois[:0].to(half), 2, SCALE)
    assert empty.shape == (0, 2, 2, 2)
    empty.sum().backward()
