"""Distributed reductions with gradients.

Convention of this project: on W processes every rank computes the *same* loss,
that of the concatenated batch. :func:`all_reduce_sum` is differentiated as what
it is, a sum over ranks that every rank reads, so its backward sums the incoming
gradients over ranks. A rank's parameters thus receive W times their share of the
gradient, and ``DistributedDataParallel``, which averages over ranks, turns the
shares into the gradient of the concatenated batch. A loss must therefore be
reduced as a *global* mean (sum and count over all ranks, which also holds for
ranks with unequal batches), never divided by W by hand.

Without an initialised process group everything here is plain arithmetic.
"""

from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor
from torch import distributed as torch_dist
from torch.autograd.function import once_differentiable


class _AllReduceSum(torch.autograd.Function):
    """Sum over ranks; ``torch.distributed.nn``'s version is deprecated."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        reduced = tensor.detach().clone(memory_format=torch.contiguous_format)
        torch_dist.all_reduce(reduced)
        return reduced

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        reduced = grad.clone(memory_format=torch.contiguous_format)
        torch_dist.all_reduce(reduced)
        return reduced


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """Sum ``tensor`` over all ranks, with gradient.

    Args:
        tensor: Of the same shape on every rank. It is not changed.

    Returns:
        The sum, equal on every rank; ``tensor`` itself on one process.
    """
    if get_world_size() == 1:
        return tensor
    return _AllReduceSum.apply(tensor)


def global_count(count: int, like: Tensor) -> Tensor:
    """Sum a rank's number of items over all ranks, without gradient.

    Args:
        count: Number of items of this rank.
        like: Tensor that gives device and floating dtype of the result.

    Returns:
        Scalar tensor; it stays on the device, so that nothing waits for it.
    """
    total = like.new_full((), count, requires_grad=False)
    if get_world_size() > 1:
        torch_dist.all_reduce(total)
    return total


def global_mean(tensor: Tensor) -> Tensor:
    """Mean over all elements of all ranks, with gradient.

    Ranks may hold different numbers of elements. One small collective.

    Args:
        tensor: Any shape, at least one element.

    Returns:
        Scalar tensor, equal on every rank.
    """
    if get_world_size() == 1:
        return tensor.mean()
    total, count = all_reduce_sum(
        torch.stack([tensor.sum(), tensor.new_full((), tensor.numel())])
    ).unbind()
    return total / count
