"""Stores convolution weights in the memory order that is fast."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from msbreg_mm.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train convolutions in ``torch.channels_last`` memory order.

    Only the weights are converted, the activations follow. Results change by
    rounding only; shapes, names and checkpoints do not change. On a CPU and with
    mixed precision on a GPU this is faster (``docs/results/benchmarks.md``).
    """

    priority = 'VERY_LOW'  # after hooks that load weights in before_train

    def before_train(self, runner: Runner) -> None:
        """Convert the model's four-dimensional weights in place."""
        runner.model.to(memory_format=torch.channels_last)
