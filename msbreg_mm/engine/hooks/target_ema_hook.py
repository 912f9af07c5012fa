"""Moves the target network behind the online network."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn

from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap

Groups = list[tuple[list[Tensor], list[Tensor]]]
DEFAULT_PAIRS = (('backbone', 'target_backbone'), ('neck', 'target_neck'))


@HOOKS.register_module()
class TargetEMAHook(Hook):
    r"""Exponential moving average of the online network, once per optimizer step.

    Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020, arXiv 2006.07733,
    section 3.3. After the optimizer has made step k of S (k = 0, …, S − 1),

    .. math::

        θ' ← m_k θ' + (1 - m_k) θ, \qquad
        m_k = m_{end} - (m_{end} - m_0) \frac{1 + \cos(π k / S)}{2}

    A step counts only if the optimizer changed the online network: not while
    gradients accumulate, and not when mixed precision skips an overflow. The
    count is kept in the checkpoint. When a run starts (from fresh or from
    loaded weights, but not when it resumes) the target becomes an exact copy of
    the online network. Buffers, i.e. the running statistics of batch
    normalisation, are left to the target's own forward pass as in BYOL.

    Args:
        pairs: Names of (online, target) submodules of the model.
        momentum: m_0, the fraction of the *old target* that a step keeps, in
            [0, 1] (mmengine's EMA calls the other fraction momentum). BYOL's
            presets for batch size 4096 are 0.99 for 100 and 300 epochs and 0.996
            for 1,000.
        end_momentum: m_end, in [momentum, 1]. 1 is BYOL's value.
        copy_buffers: Copy the online buffers to the target at each step; for a
            target in evaluation mode.

    Raises:
        OptionError: If a momentum is out of range, or, when training starts, if a
            pair does not match: a name is not in the model, parameters differ
            in name, shape or type, are shared, or the target's need a gradient,
            or the checkpoint to resume from holds no count of steps.
        TypeError: If the runner has several optimizers.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[str]] = DEFAULT_PAIRS,
        momentum: float = 0.996,
        end_momentum: float = 1.0,
        copy_buffers: bool = False,
    ) -> None:
        if not 0 <= momentum <= end_momentum <= 1:
            raise OptionError(
                'need 0 <= momentum <= end_momentum <= 1, got '
                f'momentum={momentum}, end_momentum={end_momentum}'
            )
        if 0 < momentum < 0.5:
            print_log(
                f'TargetEMAHook keeps the fraction momentum={momentum} of the old '
                f'target at each step; did you mean {1 - momentum:g}?',
                'current',
                level=logging.WARNING,
            )
        self.pairs = [_check_pair(pair) for pair in pairs]
        if not self.pairs:
            raise OptionError('pairs is empty: no target network to move')
        self.momentum = momentum
        self.end_momentum = end_momentum
        self.copy_buffers = copy_buffers
        self.total_steps = 0
        self.step: int | None = 0  # None: loaded a checkpoint that has no count
        self._saved_total = 0
        self._optimizer_stepped = False
        self._groups: Groups = []
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._handle: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the pairs, start the target as a copy, watch the optimizer."""
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            raise TypeError(
                'TargetEMAHook counts the steps of one optimizer, but optim_wrapper '
                f'is a dict of {list(wrapper.keys())}; use a single optim_wrapper'
            )
        model = unwrap(runner.model)
        modules = [_find_pair(model, *pair) for pair in self.pairs]
        # mmengine also steps at the very last iteration.
        self.total_steps = math.ceil(runner.max_iters / wrapper._accumulative_counts)
        if runner.iter > 0:
            self._check_resumed(runner)
        else:
            self.step = 0
            # init_weights() may have drawn the two networks separately, and
            # load_from or PretrainedBackboneHook have filled the online one only.
            for online, target in modules:
                target.load_state_dict(online.state_dict())
        self._groups = group_parameters(modules)
        self._buffers = [
            pair
            for online, target in modules
            if self.copy_buffers
            for pair in zip(target.buffers(), online.buffers(), strict=True)
        ]
        if self._handle is not None:
            self._handle.remove()
        self._handle = wrapper.optimizer.register_step_post_hook(self._after_step)
        self._optimizer_stepped = False

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Move the target if the optimizer has made a step."""
        if not self._optimizer_stepped or self.step is None:
            return
        self._optimizer_stepped = False
        momentum = self.momentum_at(self.step)
        move_targets(self._groups, momentum)
        for target, online in self._buffers:
            target.copy_(online)
        self.step += 1
        runner.message_hub.update_scalar('train/target_momentum', momentum)

    def after_train(self, runner: Runner) -> None:
        """Leave the optimizer alone."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the number of steps; the target's weights are in the model's."""
        checkpoint['target_ema'] = {'step': self.step, 'total_steps': self.total_steps}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the number of steps; it is used if the run resumes."""
        state = checkpoint.get('target_ema', {})
        self.step = state.get('step')
        self._saved_total = state.get('total_steps', 0)

    def momentum_at(self, step: int) -> float:
        """Compute m_k.

        Args:
            step: k, the number of optimizer steps already made, from 0.

        Returns:
            The fraction of the old target that is kept.
        """
        progress = min(step / max(self.total_steps, 1), 1.0)
        remaining = (1 + math.cos(math.pi * progress)) / 2
        return self.end_momentum - (self.end_momentum - self.momentum) * remaining

    def _check_resumed(self, runner: Runner) -> None:
        if self.step is None:
            raise OptionError(
                'the checkpoint to resume from was saved without TargetEMAHook, so '
                'its number of optimizer steps is unknown and its target network '
                'may be missing; start a new run with load_from (without resume)'
            )
        resumption = getattr(runner.train_loop, 'resumption', None)
        if resumption is not None and resumption.changes:
            # The same place, counted in the iterations of this run's plan.
            share = resumption.position.iteration / max(resumption.old_iteration, 1)
            self.step = round(self.step * share)
        if self._saved_total not in (0, self.total_steps):
            runner.logger.warning(
                f'The run was planned for {self._saved_total} optimizer steps and '
                f'resumes with {self.total_steps}: target_momentum jumps from the '
                'old schedule to the new one.'
            )

    def _after_step(
        self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict
    ) -> None:
        # Only a note: an optimizer whose step() calls its parent's gets here
        # twice. Fused optimizers are called on overflow, too, and skip inside.
        # NonFiniteHook takes the gradients away.
        found_inf = getattr(optimizer, 'found_inf', None)
        skipped = getattr(optimizer, 'skipped_step', False)
        overflow = found_inf is not None and bool(found_inf)
        self._optimizer_stepped = not (skipped or overflow)


def _check_pair(pair: Sequence[str]) -> tuple[str, str]:
    if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
        raise OptionError(
            f'each of pairs must be two different module names (online, target), '
            f'got {pair!r}'
        )
    return pair[0], pair[1]


def _find_pair(model: nn.Module, online: str, target: str) -> tuple[nn.Module, ...]:
    """Look a pair up and check that its parameters and buffers correspond."""
    modules = dict(model.named_modules())
    for name in (online, target):
        if name not in modules:
            raise OptionError(
                f'{type(model).__name__} has no module {name!r}, which pairs of '
                f'TargetEMAHook names; it has {[n for n, _ in model.named_children()]}'
            )
    old = modules[target].state_dict(keep_vars=True)
    new = modules[online].state_dict(keep_vars=True)
    names = f'online {online!r} and target {target!r}'
    if old.keys() != new.keys():
        raise OptionError(
            f'{names} have different parameters: {sorted(old.keys() ^ new.keys())[:10]}'
            '; build the target as a deep copy of the online module'
        )
    for key, mine in old.items():
        source = new[key]
        if (mine.shape, mine.dtype) != (source.shape, source.dtype):
            raise OptionError(
                f'{names} differ in {key}: {tuple(source.shape)} {source.dtype} '
                f'against {tuple(mine.shape)} {mine.dtype}'
            )
        if mine is source:
            raise OptionError(f'{names} share {key}; the target needs its own copy')
        if mine.requires_grad:
            raise OptionError(
                f'{key} of target {target!r} requires a gradient, so the optimizer '
                'would train it; call requires_grad_(False) on the target'
            )
    return modules[online], modules[target]


def group_parameters(modules: Sequence[tuple[nn.Module, ...]]) -> Groups:
    """Group parameters by device and type: foreach is fast within a group.

    Args:
        modules: Pairs (online, target) with corresponding parameters.

    Returns:
        Lists (target parameters, online parameters) of each group.
    """
    groups: dict[tuple, tuple[list[Tensor], list[Tensor]]] = {}
    for online, target in modules:
        for old, new in zip(target.parameters(), online.parameters(), strict=True):
            group = groups.setdefault((old.device, old.dtype), ([], []))
            group[0].append(old)
            group[1].append(new)
    return list(groups.values())


@torch.no_grad()
def move_targets(groups: Groups, momentum: float) -> None:
    """Apply θ' ← m θ' + (1 − m) θ in place.

    Args:
        groups: As from :func:`group_parameters`.
        momentum: m, the fraction of the old target that is kept, in [0, 1].
    """
    for target, online in groups:
        torch._foreach_lerp_(target, online, 1 - momentum)
