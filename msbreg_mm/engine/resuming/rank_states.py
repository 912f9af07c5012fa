"""What each process has for itself, beside the weights that all share."""

import hashlib
from typing import Any, cast

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

State = dict[str, dict[str, Tensor]]


def gather_states(runner: Runner) -> list[State]:
    """Collect from all processes what a checkpoint of the first one would lack.

    These are buffers that differ from the first process's (statistics of batch
    normalisation without ``sync_bn``), tensors that modules hold without registering
    them (SwAV's queue), and gradients on their way while they accumulate.

    Args:
        runner: The runner; all processes call this together.

    Returns:
        ``'buffers'``, ``'tensors'`` and ``'grads'`` by name, for each process.
    """
    model = unwrap(runner.model)
    buffers = dict(model.named_buffers())
    digests = {name: _digest(buffer) for name, buffer in buffers.items()}
    if get_world_size() > 1:
        first = all_gather_object(digests)[0]
        changed = {name for name in digests if digests[name] != first.get(name)}
    else:
        changed = set()
    own: State = {
        'buffers': {name: _keep(buffers[name]) for name in sorted(changed)},
        'tensors': {
            f'{module}/{name}': _keep(value)
            for module, holder in model.named_modules()
            for name, value in vars(holder).items()
            if isinstance(value, Tensor)
        },
        'grads': {
            name: _keep(parameter.grad)
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and _accumulates(runner)
        },
    }
    return all_gather_object(own) if get_world_size() > 1 else [own]


def restore_state(runner: Runner, states: list[State]) -> None:
    """Give this process what it had; the number of processes must be the same.

    Args:
        runner: The runner, with the weights of the checkpoint loaded.
        states: As from :func:`gather_states`.
    """
    state = states[get_rank()]
    model = unwrap(runner.model)
    buffers, parameters = dict(model.named_buffers()), dict(model.named_parameters())
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name, value in state['buffers'].items():
            buffers[name].copy_(value)
    for place, value in state['tensors'].items():
        module, _, name = place.rpartition('/')
        current = getattr(modules[module], name, None)
        like = current if isinstance(current, Tensor) else next(iter(buffers.values()))
        setattr(modules[module], name, value.to(like.device))
    for name, value in state['grads'].items():
        # In the memory order of the parameter, as backward makes it.
        grad = torch.empty_like(parameters[name])
        parameters[name].grad = grad.copy_(value)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside a wrapper for several processes."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def _accumulates(runner: Runner) -> bool:
    """Whether gradients wait for the next iteration."""
    wrapper: Any = runner.optim_wrapper
    return isinstance(wrapper, OptimWrapper) and not wrapper.should_update()


def _keep(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone()


def _digest(tensor: Tensor) -> bytes:
    raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return hashlib.blake2b(raw.numpy().data, digest_size=16).digest()
