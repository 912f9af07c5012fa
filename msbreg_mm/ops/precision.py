"""The precision in which the ops compute."""

import torch
from torch import Tensor


def widen(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast tensors to their common type, float32 at least.

    float16 and bfloat16 inputs are computed in float32, as torchvision does under
    autocast: its kernels take no bfloat16, and sums over many samples or products
    of box sides overflow or round in float16. float64 stays float64.

    Args:
        tensors: Tensors of any floating or integer type.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)
