"""Multi-scale deformable attention, as ``mmcv._ext`` offers it.

Source: Zhu et al., "Deformable DETR", ICLR 2021, arXiv 2010.04159, equation 3. mmcv
has it in plain PyTorch too but uses that only on the CPU; this is the same function
for CUDA.
"""

import torch
from torch import Tensor

from msbreg_mm.ops.precision import widen


def _attend(
    value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor
) -> Tensor:
    # Imported late because mmcv.ops imports this package while it is imported.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, shapes.tolist(), locations, weights
    )


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Return the weighted sum of samples of the feature maps.

    Args:
        value: Values of the pixels of all levels, one level after the other.
        value_spatial_shapes: Height and width of each level.
        value_level_start_index: First pixel of each level; follows from the shapes.
        sampling_locations: Points (x, y), 0 to 1 across the level.
        attention_weights: Weights of the points.
        im2col_step: Of mmcv's kernel, has no meaning here.

    Shape:
        - value: ``(N, K, M, D)``, M heads; value_spatial_shapes: ``(L, 2)``.
        - sampling_locations: ``(N, Q, M, L, P, 2)``.
        - attention_weights: ``(N, Q, M, L, P)``.
        - output: ``(N, Q, M * D)``.
    """
    tensors = widen(value, sampling_locations, attention_weights)
    output = _attend(tensors[0], value_spatial_shapes, *tensors[1:])
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of :func:`ms_deform_attn_forward`, which runs again.

    The arguments are those of the forward; ``grad_value``, ``grad_sampling_loc``
    and ``grad_attn_weight`` have the shapes of what they are the gradients of.
    """
    *tensors, grad = widen(value, sampling_locations, attention_weights, grad_output)
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        output = _attend(leaves[0], value_spatial_shapes, *leaves[1:])
        gradients = torch.autograd.grad(output, leaves, grad)
    targets = (grad_value, grad_sampling_loc, grad_attn_weight)
    for target, gradient in zip(targets, gradients, strict=True):
        target.copy_(gradient)
