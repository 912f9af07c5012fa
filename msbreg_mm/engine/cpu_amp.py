"""Mixed precision where there is no GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from msbreg_mm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Train in bfloat16 autocast on a CPU; no loss scaling is needed.

    mmengine's ``AmpOptimWrapper`` refuses to run without an accelerator. The
    launcher puts this one in its place, so that a config with mixed precision
    runs, unchanged, on any machine.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass.

        Args:
            model: The model that is trained.
        """
        with (
            super().optim_context(model),
            torch.autocast('cpu', dtype=torch.bfloat16),
        ):
            yield
