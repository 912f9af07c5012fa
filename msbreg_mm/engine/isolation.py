"""Running a network beside its training without a trace."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dist import broadcast, get_world_size
from torch import nn


@contextmanager
def isolated(model: nn.Module, seed: int) -> Iterator[None]:
    """Evaluate a network in training and leave no trace of it.

    Inside, the model is in evaluation mode, nothing records gradients, the random
    generators start at ``seed``, and cuDNN does not search for algorithms (it
    would for every new shape). Afterwards, also after an error, the training flag
    of every module, the generators of Python, NumPy and PyTorch (CPU and the
    current CUDA device) and cuDNN's flags are what they were. Batch normalisation
    updates nothing in evaluation mode, and workers of data loaders made inside
    take their seeds from the generator inside.

    Args:
        model: The network; its parameters and buffers are the caller's to leave
            alone.
        seed: Seed of the generators inside, in [0, 2^32).

    Yields:
        Nothing.
    """
    # model.train() would not do: a module may be frozen within a trained one.
    flags = [(module, module.training) for module in model.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    # A generator of CUDA exists once CUDA is used; asking would start it.
    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    devices = [torch.cuda.current_device()] if used else []
    cudnn = torch.backends.cudnn
    with (
        torch.random.fork_rng(devices),
        torch.no_grad(),
        cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=False,
            deterministic=cudnn.deterministic,
            allow_tf32=cudnn.allow_tf32,
        ),
    ):
        try:
            random.seed(seed)
            np.random.seed(seed)
            torch.random.default_generator.manual_seed(seed)
            for device in devices:
                torch.cuda.default_generators[device].manual_seed(seed)
            model.eval()
            yield
        finally:
            for module, training in flags:
                module.training = training
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def buffers_of_first_rank(model: nn.Module) -> Iterator[None]:
    """Let all ranks evaluate the network that the first one saves.

    Parameters are the same on all ranks, but batch statistics are each rank's own
    without synchronised batch normalisation. Afterwards every rank has its own
    back.

    Args:
        model: The network, not wrapped.

    Yields:
        Nothing.
    """
    if get_world_size() == 1:
        yield
        return
    buffers = list(model.buffers())
    own = [buffer.clone() for buffer in buffers]
    try:
        for buffer in buffers:
            broadcast(buffer)
        yield
    finally:
        for buffer, value in zip(buffers, own, strict=True):
            buffer.copy_(value)
