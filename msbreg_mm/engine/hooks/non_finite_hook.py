"""Stops a training whose losses or gradients are NaN or infinite."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from msbreg_mm.engine import atomic_backend  # noqa: F401 - registers the backend
from msbreg_mm.engine.resuming.rank_states import unwrap
from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import InputError

# Steps in a row that mixed precision may skip: its loss scale halves at each, from
# 65,536 to a sixteenth.
_SKIPPED_BY_AMP = 20
# Names and files that a message lists.
_SHOWN = 8


class DivergedError(InputError, FloatingPointError):
    """Losses or gradients are not finite; the message says which, and where."""


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Watches losses and gradients in every iteration of any training.

    A step whose gradients are not all finite is not made: weights, optimizer, target
    network and statistics of batch normalisation stay as they were. Up to
    ``max_skipped`` such steps in a row, or losses that are not finite, are a warning
    each; one more ends the training with a :class:`DivergedError` that names losses,
    parameters and the images of the batch. The network, the optimizer and these names
    (``meta['non_finite']``) are then in ``nonfinite_iter_*.pth``, which resuming does
    not use.

    Args:
        max_skipped: Steps in a row to leave out, at least 0. By default 20 with
            mixed precision that scales losses, where overflow is part of the
            method, and otherwise 0. This project's choice.

    Raises:
        ValueError: If ``max_skipped`` is negative.
    """

    # Before hooks that would take up what is not finite, e.g. into the target.
    priority = 'HIGH'

    def __init__(self, max_skipped: int | None = None) -> None:
        if max_skipped is not None and max_skipped < 0:
            raise ValueError(f'max_skipped must be at least 0, got {max_skipped}')
        self.max_skipped = max_skipped
        self.in_a_row = 0
        self._bad: list[str] = []
        self._looked = False
        self._names: dict[int, str] = {}
        self._handles: list[Any] = []
        self._optimizers: list[Any] = []
        self._statistics: list[tuple[Tensor, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Look at gradients before each step."""
        model = unwrap(runner.model)
        self._names = {id(p): name for name, p in model.named_parameters()}
        wrapper: Any = runner.optim_wrapper
        wrappers = [wrapper] if isinstance(wrapper, OptimWrapper) else wrapper.values()
        for one in wrappers:
            handle = one.optimizer.register_step_pre_hook(self._before_step)
            self._handles.append(handle)
        self._optimizers = [one.optimizer for one in wrappers]
        if self.max_skipped is None:
            scaled = any(hasattr(one, 'loss_scaler') for one in wrappers)
            self.max_skipped = _SKIPPED_BY_AMP if scaled else 0

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Remember the statistics that a forward pass may spoil."""
        self._bad, self._looked = [], False
        for optimizer in self._optimizers:
            # Not in _before_step, which a step that calls its parent's gets to twice.
            optimizer.skipped_step = False
        if self.max_skipped:
            buffers = list(_statistics(unwrap(runner.model)))
            self._statistics = [(buffer, buffer.clone()) for buffer in buffers]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Judge the iteration.

        Raises:
            DivergedError: If too many in a row are not finite.
        """
        values = {
            key: float(value.detach() if isinstance(value, Tensor) else value)
            for key, value in (outputs or {}).items()
            if 'loss' in key
        }
        losses = {key: v for key, v in values.items() if not math.isfinite(v)}
        wrapper: Any = runner.optim_wrapper
        due = isinstance(wrapper, OptimWrapper) and wrapper.should_update()
        overflow = due and not self._looked  # mixed precision has left the step out
        if not (losses or self._bad or overflow):
            self.in_a_row = 0 if due else self.in_a_row
            return
        if not (due or losses):
            return
        self.in_a_row += 1
        what = self._describe(losses, overflow)
        if self.in_a_row > (self.max_skipped or 0):
            self._stop(runner, losses, what, list(image_paths(data_batch)))
        self._restore_statistics()
        runner.message_hub.update_scalar('train/skipped_steps', self.in_a_row)
        runner.logger.warning(
            f'Iteration {runner.iter + 1}: {what}; the step is left out '
            f'({self.in_a_row} in a row, at most {self.max_skipped}).'
        )

    def after_train(self, runner: Runner) -> None:
        """Leave the optimizer alone."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _before_step(
        self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict
    ) -> None:
        """Take the gradients away if they are not finite: the step does nothing."""
        self._looked = True
        parameters = [
            parameter
            for group in optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if all_finite([parameter.grad for parameter in parameters]):
            return
        self._bad += [
            self._names.get(id(parameter), '?')
            for parameter in parameters
            if not bool(torch.isfinite(parameter.grad).all())
        ]
        for parameter in parameters:
            parameter.grad = None
        # TargetEMAHook does not move for it.
        optimizer.skipped_step = True  # type: ignore[attr-defined]

    def _describe(self, losses: Mapping[str, float], overflow: bool) -> str:
        parts = [f'{key} is {value}' for key, value in losses.items()]
        if self._bad:
            more = f' and {len(self._bad) - 3} more' if len(self._bad) > 3 else ''
            parts.append(
                f'gradients of {", ".join(self._bad[:3])}{more} '
                f'(of {len(self._names)} parameters) are not finite'
            )
        elif overflow:
            parts.append('gradients overflow in mixed precision')
        return '; '.join(parts)

    def _restore_statistics(self) -> None:
        with torch.no_grad():
            for buffer, before in self._statistics:
                if not bool(torch.isfinite(buffer).all()):
                    buffer.copy_(before)

    def _stop(
        self,
        runner: Runner,
        losses: Mapping[str, float],
        what: str,
        files: list[str],
    ) -> None:
        name = f'nonfinite_iter_{runner.iter + 1}.pth'
        found = {'losses': dict(losses), 'gradients': self._bad, 'images': files}
        runner.save_checkpoint(
            runner.work_dir,
            name,
            meta={'non_finite': found},
            by_epoch=False,
            backend_args={'backend': 'msbreg_atomic'},
        )
        shown = ', '.join(files[:_SHOWN]) or 'not named by the data set'
        more = f' and {len(files) - _SHOWN} more' if len(files) > _SHOWN else ''
        text = (
            f'the training has diverged at iteration {runner.iter + 1}: {what}. Images '
            f'of this batch: {shown}{more}. The network is saved as {name} in '
            f'{runner.work_dir}. Lower the learning rate, warm up longer, or look at '
            'the images; default_hooks.non_finite.max_skipped=N lets N such steps pass'
        )
        runner.logger.error(text)
        raise DivergedError(text)


def all_finite(tensors: list[Tensor]) -> bool:
    """Whether all values are finite; one number is waited for.

    Args:
        tensors: Any shapes, on one device per call of the norm.
    """
    dense = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    if not dense:
        return True
    norms = torch._foreach_norm(dense)
    total = torch.stack([norm.float() for norm in norms]).sum()
    # A norm overflows before its values do.
    return bool(torch.isfinite(total)) or all(
        bool(torch.isfinite(tensor).all()) for tensor in dense
    )


def image_paths(batch: Any) -> Iterator[str]:
    """Find the files that a batch was made of.

    Args:
        batch: What a data loader of OpenMMLab gives.

    Yields:
        ``img_path`` of each sample that has one.
    """
    if isinstance(batch, Mapping):
        for key in ('data_samples', 'data_sample', 'img_path'):
            if key in batch:
                yield from image_paths(batch[key])
    elif isinstance(batch, (list, tuple)):
        for part in batch:
            yield from image_paths(part)
    elif isinstance(batch, str):
        yield batch
    elif path := getattr(batch, 'img_path', None):
        yield str(path)


def _statistics(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            yield module.get_buffer('running_mean')
            yield module.get_buffer('running_var')
