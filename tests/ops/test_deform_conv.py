"""Deformable convolution against ordinary and shifted convolution."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)

GEOMETRIES = [
    # stride, padding, dilation, groups, deformable groups
    (1, 1, 1, 1, 1),
    (2, 1, 1, 2, 2),
    ((1, 2), (2, 0), (2, 1), 1, 4),
]


def random(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def tensors(groups=1, dtype=torch.float64):
    return random(2, 4, 8, 9, dtype=dtype), random(6, 4 // groups, 3, 3, dtype=dtype)


def offsets(output, deform_groups, dy=0.0, dx=0.0):
    """The same offset for every sample: y before x."""
    n, _, height, width = output.shape
    pair = output.new_tensor([dy, dx]).repeat(9 * deform_groups)
    return pair[:, None, None].expand(n, -1, height, width).clone()


@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_no_offset_is_ordinary_convolution(device, geometry):
    *sizes, groups, deform_groups = geometry
    expected_leaves = [x.to(device).requires_grad_() for x in tensors(groups)]
    expected = F.conv2d(*expected_leaves, None, *sizes, groups)
    leaves = [x.to(device).requires_grad_() for x in tensors(groups)]
    offset = offsets(expected, deform_groups)
    output = deform_conv2d(leaves[0], offset, leaves[1], *geometry)
    torch.testing.assert_close(output, expected)
    for result in (output, expected):
        (result * random(*result.shape).to(device)).sum().backward()
    for leaf, expected_leaf in zip(leaves, expected_leaves, strict=True):
        torch.testing.assert_close(leaf.grad, expected_leaf.grad)


@pytest.mark.parametrize(('dy', 'dx'), [(1, 0), (0, -2), (3, 1)])
def test_an_integer_offset_is_convolution_of_the_shifted_image(device, dy, dx):
    image, weight = (x.to(device) for x in tensors())
    # Zeros come in from outside: shifting the padded image does the same.
    padded = F.pad(image, (4, 4, 4, 4)).roll((-dy, -dx), (2, 3))
    expected = F.conv2d(padded, weight)[..., 3:-3, 3:-3]
    offset = offsets(expected, 1, dy, dx)
    output = deform_conv2d(image, offset, weight, 1, 1)
    torch.testing.assert_close(output, expected)


def test_a_fraction_interpolates_between_pixels():
    image, weight = tensors()
    parts = []
    for dx in (0.0, 0.25, 1.0):
        offset = image.new_zeros(2, 18, 8, 9)
        offset[:, 1::2] = dx
        parts.append(deform_conv2d(image, offset, weight, 1, 1))
    torch.testing.assert_close(parts[1], 0.75 * parts[0] + 0.25 * parts[2])


def test_each_deformable_group_moves_its_own_channels():
    image, weight = tensors()
    offset = image.new_zeros(2, 2 * 18, 8, 9)
    offset[:, 18::2] = 1.0  # channels 2 and 3 look one pixel down
    moved = image.clone()
    moved[:, 2:] = F.pad(image[:, 2:], (0, 0, 0, 1))[:, :, 1:]
    output = deform_conv2d(image, offset, weight, 1, 1, 1, 1, 2)
    expected = F.conv2d(moved, weight, padding=1)
    # Above the image a moved sample is inside where the moved image has padding.
    torch.testing.assert_close(output[:, :, 1:], expected[:, :, 1:])


def test_mask_scales_the_samples_and_bias_is_added(device):
    image, weight = (x.to(device) for x in tensors())
    bias = random(6).to(device)
    offset = image.new_zeros(2, 18, 8, 9)
    mask = random(1, 9, 1, 1, seed=1).to(device)
    scaled = weight * mask.reshape(1, 1, 3, 3)
    mask = mask.expand(2, 9, 8, 9)
    for used in (bias, None):
        output = modulated_deform_conv2d(image, offset, mask, weight, used, 1, 1)
        torch.testing.assert_close(output, F.conv2d(image, scaled, used, padding=1))


@pytest.mark.parametrize('groups', [1, 2])
def test_gradient_of_v1_numerically(groups):
    image, weight = random(1, 2, 4, 4), random(2, 2 // groups, 3, 3)
    offset = random(1, 18 * groups, 4, 4) * 0.4 + 0.05
    leaves = [x.requires_grad_() for x in (image, offset, weight)]
    torch.autograd.gradcheck(
        lambda *x: deform_conv2d(*x, 1, 1, 1, groups, groups), leaves
    )


@pytest.mark.parametrize('with_bias', [True, False])
def test_gradient_of_v2_numerically(with_bias):
    image, weight = random(1, 2, 4, 4), random(2, 2, 3, 3)
    offset = random(1, 18, 4, 4) * 0.4 + 0.05
    inputs = [image, offset, random(1, 9, 4, 4), weight]
    if with_bias:
        inputs.append(random(2))
    leaves = [x.requires_grad_() for x in inputs]
    torch.autograd.gradcheck(
        lambda *x: modulated_deform_conv2d(*x, *[None] * (5 - len(x)), 1, 1), leaves
    )


@pytest.mark.parametrize('needs', [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_gradients_of_some_of_the_inputs_of_v1(needs):
    inputs = [random(2, 4, 8, 9), random(2, 18, 8, 9, seed=1), random(6, 4, 3, 3)]
    gradients = []
    for chosen in (range(3), needs):
        leaves = [x.clone().requires_grad_(i in chosen) for i, x in enumerate(inputs)]
        deform_conv2d(*leaves, 1, 1).square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for i, (every, some) in enumerate(zip(*gradients, strict=True)):
        torch.testing.assert_close(some, every if i in needs else None)


def test_going_backward_twice_doubles_the_gradients():
    leaves = [random(2, 4, 8, 9), random(2, 18, 8, 9, seed=1), random(6, 4, 3, 3)]
    leaves = [x.requires_grad_() for x in leaves]
    loss = deform_conv2d(*leaves, 1, 1).square().sum()
    loss.backward(retain_graph=True)
    once = [leaf.grad.clone() for leaf in leaves]
    loss.backward()
    for leaf, gradient in zip(leaves, once, strict=True):
        torch.testing.assert_close(leaf.grad, 2 * gradient)


@pytest.mark.parametrize('layer', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_layers_under_autocast(device, half, layer):
    image = tensors(dtype=torch.float32)[0].to(device)
    module = layer(4, 6, 3, padding=1).to(device)
    expected = module(image)
    with torch.autocast(device.type, half):
        output = module(image)
    assert output.dtype == half
    torch.testing.assert_close(output, expected.to(half), rtol=0.05, atol=0.05)
    output.float().square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_half_precision_is_the_rounded_float32(device, half):
    inputs = [random(2, 4, 8, 9), random(2, 18, 8, 9, seed=1), random(6, 4, 3, 3)]
    inputs = [x.to(device, half) for x in inputs]
    results = []
    for dtype in (half, torch.float32):
        leaves = [x.to(dtype, copy=True).requires_grad_() for x in inputs]
        output = deform_conv2d(*leaves, 1, 1)
        output.sum().backward()
        results.append([output.detach(), *(leaf.grad for leaf in leaves)])
    for rounded, exact in zip(*results, strict=True):
        torch.testing.assert_close(rounded, exact.to(half))


def test_non_contiguous_inputs():
    image, weight = tensors(dtype=torch.float32)
    offset = random(2, 18, 8, 9, dtype=torch.float32)
    expected = deform_conv2d(image, offset, weight, 1, 1)
    output = deform_conv2d(
        image.to(memory_format=torch.channels_last),
        offset.mT.contiguous().mT,
        weight.to(memory_format=torch.channels_last),
        1,
        1,
    )
    torch.testing.assert_close(output, expected)


def test_offsets_of_another_size_are_an_error():
    image, weight = tensors()
    with pytest.raises(RuntimeError, match=r'offset\.shape\[1\] is not valid'):
        deform_conv2d(image, image.new_zeros(2, 9, 8, 9), weight, 1, 1)
