"""mmengine's runner, with the memory order of weights settled before processes join."""

from typing import Any

import torch
from mmengine.runner import Runner
from torch import nn

from msbreg_mm.engine.hooks.channels_last_hook import ChannelsLastHook

_NAME = f'msbreg_mm.{ChannelsLastHook.__name__}'


class TrainingRunner(Runner):
    """Converts weights before ``DistributedDataParallel`` looks at them.

    It lays out its buckets by the strides that weights have when it is built. Where
    they change afterwards, as by :class:`ChannelsLastHook`, which comes when the
    training begins, the gradients of the first iteration come back permuted, at the
    start and after each resume (PyTorch 2.14 warns of strides that "do not match").
    """

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> Any:
        """Wrap the model for several processes.

        Args:
            model_wrapper_cfg: As in mmengine.
            model: The model.
        """
        hooks = [
            *(self.cfg.get('default_hooks') or {}).values(),
            *(self.cfg.get('custom_hooks') or ()),
        ]
        if any(isinstance(hook, dict) and hook.get('type') == _NAME for hook in hooks):
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return super().wrap_model(model_wrapper_cfg, model)
