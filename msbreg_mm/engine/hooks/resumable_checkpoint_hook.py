"""Saves checkpoints by which a run goes on as if it had not been interrupted."""

import math
import os
import time
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch import Tensor

from msbreg_mm.engine.resuming.hook_states import (
    hook_states,
    put_before,
    restore_hooks,
)
from msbreg_mm.engine.resuming.interruption import Interruption, TrainingInterrupted
from msbreg_mm.engine.resuming.rank_states import State, gather_states, unwrap
from msbreg_mm.engine.resuming.resumption import KEY, read_resumption
from msbreg_mm.registry import HOOKS
from msbreg_mm.runs.folder import INTERRUPTED
from msbreg_mm.runs.work_dir import check_space
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.files import write_json, write_text

_EXTRA = 'inside_ckpt'


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, and what an exact resume needs beside it.

    A checkpoint also holds the plan of the training, the position inside an epoch,
    whether its network has been validated, and what each process has for itself
    (:func:`msbreg_mm.engine.resuming.rank_states.gather_states`). Between the
    checkpoints that ``interval`` asks for the hook saves every so many minutes, and
    when a signal ends the training; of these files, ``iter_*.pth``, the last is
    kept until the next regular checkpoint is written.

    The launcher puts this hook in the place of ``CheckpointHook`` and its loops in
    the place of mmengine's, which it needs.

    Args:
        interval_minutes: Minutes between two checkpoints; none by default, so that
            only ``interval`` counts.
        kwargs: Those of mmengine's hook.

    Raises:
        OptionError: If ``interval_minutes`` is not positive.
    """

    def __init__(self, *, interval_minutes: float | None = None, **kwargs: Any) -> None:
        if interval_minutes is not None and not interval_minutes > 0:
            raise OptionError(
                f'interval_minutes must be positive, got {interval_minutes}'
            )
        super().__init__(**kwargs)
        self.interval_minutes = interval_minutes
        self._ranks: list[State] = []
        self._saved_at = -1
        self._validated_at = -1
        self._clock = time.monotonic()

    def before_run(self, runner: Runner) -> None:
        """Have other hooks see a validation first."""
        super().before_run(runner)
        put_before(runner, self)

    def before_train(self, runner: Runner) -> None:
        """Start the clock, and look whether the checkpoints will fit.

        Raises:
            WorkDirError: If they will not.
        """
        super().before_train(runner)
        # mmengine forgets it, and then does not save again with a new best score.
        self.last_ckpt = runner.message_hub.runtime_info.get('last_ckpt')
        self._clock = time.monotonic()
        local = Path(self.out_dir)
        if is_main_process() and local.is_dir():
            check_space(local, _checkpoint_bytes(runner), self._new_files(runner))

    def _new_files(self, runner: Runner) -> int:
        """Count the files that will be there at once beside those that are."""
        total = runner.max_epochs if self.by_epoch else runner.max_iters
        saved = max(math.ceil(total / self.interval), 1) if self.interval > 0 else 1
        if self.max_keep_ckpts > 0:
            saved = min(saved, self.max_keep_ckpts) - len(self.keep_ckpt_ids)
        else:  # all are kept: whether someone moves them away is not known
            saved = 1
        # One more while it is being written, and the best ones.
        best = len(self.key_indicators) if self.save_best else 0
        return max(saved, 0) + 1 + best

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Find out where to go on, if this run resumes."""
        if not getattr(runner, '_resume', False) or not hasattr(
            runner.train_loop, 'resumption'
        ):
            return
        found = read_resumption(runner, checkpoint)
        runner.train_loop.resumption = found
        restore_hooks(runner, (checkpoint.get(KEY) or {}).get('hooks') or {})
        self._validated_at = found.position.iteration if found.validated else -1

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what mmengine does not keep."""
        loop, meta = runner.train_loop, checkpoint['meta']
        # Without an optimizer it is the best, which nothing goes on from.
        if 'optimizer' not in checkpoint or not hasattr(loop, 'resumption'):
            return
        checkpoint[KEY] = {
            'plan': loop.plan.to_dict(),
            'images': loop.images_at(meta['epoch'], meta['iter']),
            # A network that nothing validates needs no validation.
            'validated': runner.val_loop is None or self._validated_at == meta['iter'],
            'ranks': self._ranks,
            'hooks': hook_states(runner),
        }

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best, as the result of a validation that need not be repeated."""
        self._validated_at = runner.iter
        super().after_val_epoch(runner, metrics)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Stop inside a validation; it is repeated when the run resumes."""
        interruption = getattr(runner.train_loop, 'interruption', None)
        if interruption is None or interruption.received is None:
            return
        if self._saved_at == runner.iter:
            self._stop(runner, interruption)
        elif get_world_size() == 1:
            self._save_inside(runner)
            self._stop(runner, interruption)

    def after_whole_iter(self, runner: Runner, interruption: Interruption) -> None:
        """Save if it is time; save and stop if a signal has come.

        The loop calls this when all hooks have had the iteration and it is counted.

        Args:
            runner: The runner.
            interruption: The signals.

        Raises:
            TrainingInterrupted: If a signal has come.
        """
        minutes = (time.monotonic() - self._clock) / 60
        due = self.interval_minutes is not None and minutes >= self.interval_minutes
        stop, save = interruption.agree(due and is_main_process())
        if stop or save:
            self._save_inside(runner)
        if stop:
            self._stop(runner, interruption)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        self._ranks = gather_states(runner)
        extra = runner.message_hub.pop_info(_EXTRA)
        super()._save_checkpoint_with_step(runner, step, meta)
        self._ranks = []
        self._saved_at = meta['iter']
        self._clock = time.monotonic()
        self._remove(extra)

    def _save_inside(self, runner: Runner) -> None:
        """Save what the regular checkpoints do not cover."""
        if self._saved_at == runner.iter:
            return
        self._ranks = gather_states(runner)
        before = runner.message_hub.runtime_info.get(_EXTRA)
        name = f'iter_{runner.iter}.pth'
        runner.message_hub.update_info(_EXTRA, name)
        runner.save_checkpoint(
            self.out_dir,
            name,
            meta={'epoch': runner.epoch, 'iter': runner.iter},
            by_epoch=False,
            backend_args=self.backend_args,
        )
        self._ranks = []
        self._saved_at = runner.iter
        self._clock = time.monotonic()
        if is_main_process():
            path = self.file_backend.join_path(self.out_dir, name)
            write_text(Path(runner.work_dir) / 'last_checkpoint', str(path))
        if before != name:
            self._remove(before)
        runner.logger.info(f'Saved {name} inside epoch {runner.epoch + 1}.')

    def _remove(self, name: str | None) -> None:
        if name is not None and is_main_process():
            path = self.file_backend.join_path(self.out_dir, os.path.basename(name))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _stop(self, runner: Runner, interruption: Interruption) -> None:
        sign = interruption.received
        name = sign.name if sign is not None else 'a signal to another process'
        text = (
            f'Interrupted by {name} after iteration {runner.iter}; everything is saved '
            f'in {runner.work_dir}. Go on with --resume.'
        )
        runner.logger.warning(text)
        if is_main_process():
            # torchrun hides the exit code.
            write_json(
                Path(runner.work_dir) / INTERRUPTED,
                {'signal': name, 'iteration': runner.iter},
            )
        raise TrainingInterrupted(text)


def _checkpoint_bytes(runner: Runner) -> int:
    """Estimate the size of a checkpoint: weights and what the optimizer remembers."""
    weights = sum(
        value.numel() * value.element_size()
        for value in unwrap(runner.model).state_dict().values()
        if isinstance(value, Tensor)
    )
    remembered = 0
    for group in runner.optim_wrapper.param_groups:
        copies = 2 if 'betas' in group else int(bool(group.get('momentum')))
        remembered += copies * sum(
            p.numel() * p.element_size() for p in group['params'] if p.requires_grad
        )
    return weights + remembered
