"""Deformable convolution v1 and v2, as ``mmcv._ext`` offers them.

Sources: Dai et al., "Deformable Convolutional Networks", ICCV 2017, arXiv
1703.06211; Zhu et al., "Deformable ConvNets v2", CVPR 2019, arXiv 1811.11168.
Outputs are written into tensors that the caller has made.

Shapes, for kernels of size kH x kW and G deformable groups:
    - input: ``(N, C, H, W)``; weight: ``(O, C / groups, kH, kW)``; bias: ``(O,)``.
    - offset: ``(N, G * kH * kW * 2, P, Q)``, in pixels, y before x.
    - mask: ``(N, G * kH * kW, P, Q)``, a factor of each sample.
    - output: ``(N, O, P, Q)``.
"""

import torch
import torchvision  # noqa: F401  (registers the ops below)
from torch import Tensor

from msbreg_mm.ops.precision import widen

_tv = torch.ops.torchvision


def _forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: tuple[int, ...],
) -> Tensor:
    """Return the output; ``geometry`` is stride, padding, dilation and both groups."""
    tensors = _tensors(input, weight, offset, mask, bias)
    return _tv.deform_conv2d(*tensors, *geometry, mask is not None)


def _backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: tuple[int, ...],
) -> tuple[Tensor, ...]:
    """Return the gradients by input, weight, offset, mask and bias."""
    tensors = _tensors(input, weight, offset, mask, bias)
    (grad,) = widen(grad_output)
    return _tv._deform_conv2d_backward(grad, *tensors, *geometry, mask is not None)


def _tensors(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
) -> tuple[Tensor, ...]:
    """Return the tensors as torchvision wants them: all there, of one type."""
    if mask is None:
        mask = input.new_zeros(len(input), 1)
    if bias is None:
        bias = input.new_zeros(len(weight))
    return widen(input, weight, offset, mask, bias)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Write the deformable convolution (v1, without bias) into ``output``.

    ``dH`` and ``dW`` are the stride. ``columns`` and ``ones`` are scratch space of
    mmcv's kernel and ``im2col_step`` its batch; torchvision chooses its own.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(_forward(input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Write the gradients of v1 by input and offset.

    torchvision computes the gradient by the weight at the same time. It is left in
    ``columns``, the scratch space that mmcv hands on to
    :func:`deform_conv_backward_parameters`, which then has nothing to compute.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    by_input, by_weight, by_offset, *_ = _backward(
        gradOutput, input, weight, offset, None, None, geometry
    )
    gradInput.copy_(by_input)
    gradOffset.copy_(by_offset)
    columns.resize_(by_weight.shape).copy_(by_weight)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add the gradient of v1 by the weight, times ``scale``, to ``gradWeight``."""
    if columns.shape == gradWeight.shape:
        by_weight = columns
    else:
        geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
        # The gradient by the weight does not depend on the weight's values.
        by_weight = _backward(
            gradOutput, input, gradWeight, offset, None, None, geometry
        )[1]
    gradWeight.add_(by_weight, alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Write the modulated deformable convolution (v2) into ``output``.

    ``ones`` and ``columns`` are scratch space of mmcv's kernel.
    """
    sizes = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)
    geometry = (*sizes, group, deformable_group)
    used_bias = bias if with_bias else None
    output.copy_(_forward(input, weight, offset, mask, used_bias, geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Write the gradients of v2 by input, weight, bias, offset and mask."""
    sizes = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)
    geometry = (*sizes, group, deformable_group)
    used_bias = bias if with_bias else None
    gradients = _backward(grad_output, input, weight, offset, mask, used_bias, geometry)
    targets = [grad_input, grad_weight, grad_offset, grad_mask]
    if with_bias:
        targets.append(grad_bias)
    for target, gradient in zip(targets, gradients, strict=False):
        target.copy_(gradient)
