"""Multi-scale deformable attention against explicit loops."""

import itertools
import math

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

SHAPES = torch.tensor([[4, 5], [2, 3]])
STARTS = torch.tensor([0, 20])


def inputs(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype)

    value = random(2, 26, 2, 2)  # images, pixels, heads, channels
    locations = random(2, 3, 2, 2, 2, 2) * 1.4 - 0.2  # some outside
    return value, locations, random(2, 3, 2, 2, 2)


def attend(value, locations, weights):
    return MultiScaleDeformableAttnFunction.apply(
        value, SHAPES.to(value.device), STARTS, locations, weights, 64
    )


def loop(value, locations, weights):
    images, queries, heads, levels, points = weights.shape
    output = value.new_zeros(images, queries, heads, value.shape[-1])
    for n, q, m, level, p in itertools.product(
        *map(range, (images, queries, heads, levels, points))
    ):
        height, width = SHAPES[level].tolist()
        x = float(locations[n, q, m, level, p, 0]) * width - 0.5
        y = float(locations[n, q, m, level, p, 1]) * height - 0.5
        rows, columns = ([math.floor(c), math.floor(c) + 1] for c in (y, x))
        for row, column in itertools.product(rows, columns):
            if 0 <= row < height and 0 <= column < width:
                near = (1 - abs(y - row)) * (1 - abs(x - column))
                pixel = int(STARTS[level]) + row * width + column
                output[n, q, m] += (
                    weights[n, q, m, level, p] * near * value[n, pixel, m]
                )
    return output.flatten(2)


def test_attention_agrees_with_a_loop(device):
    value, locations, weights = inputs()
    output = attend(*(x.to(device) for x in (value, locations, weights)))
    torch.testing.assert_close(output.cpu(), loop(value, locations, weights))


def test_gradient_numerically():
    leaves = [x[:1].clone().requires_grad_() for x in inputs()]
    torch.autograd.gradcheck(attend, leaves)


def test_half_precision_is_the_rounded_float32(device, half):
    tensors = [x.to(device) for x in inputs(half)]
    leaves = [x.clone().requires_grad_() for x in tensors]
    output = attend(*leaves)
    exact = attend(*(x.float() for x in tensors))
    torch.testing.assert_close(output, exact.to(half))
    output.sum().backward()
    for leaf in leaves:
        assert leaf.grad.dtype == half
        assert leaf.grad.isfinite().all()
