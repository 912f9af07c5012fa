"""mmengine's training loops, able to stop and to go on at any iteration."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from msbreg_mm.datasets.samplers import SeededSampler, SkippingBatchSampler
from msbreg_mm.engine.resuming.interruption import Interruption, TrainingInterrupted
from msbreg_mm.engine.resuming.plan import Plan
from msbreg_mm.engine.resuming.resumption import (
    Resumption,
    apply_resumption,
    restore_own_state,
)
from msbreg_mm.registry import LOOPS
from msbreg_mm.runs.folder import INTERRUPTED
from msbreg_mm.runs.work_dir import release_work_dir
from msbreg_mm.utils.keys import draw_key, seed_generators


class _Resumable:
    """What both loops share.

    The global generators start anew at each iteration, before an epoch ends and
    before a validation, at the hash of (seed, process, what, iteration). So dropout,
    stochastic depth and Brownian directions of an iteration are the same whether or
    not the run was resumed before it, and no generator has to be kept.

    Attributes:
        resumption: Where the run goes on; a hook sets it when it has read the
            checkpoint.
        inside: Whether the run was resumed inside of the current epoch, so that what
            is done before an epoch has been done.
        interruption: The signals, while the loop runs.
    """

    runner: Runner
    dataloader: DataLoader
    resumption: Resumption
    inside: bool
    interruption: Interruption
    unit: str
    max_epochs: int
    max_iters: int
    val_begin: int
    val_interval: int
    epoch: int
    iter: int

    @property
    def plan(self) -> Plan:
        """The quantities that say where in its training an iteration is."""
        wrapper: Any = self.runner.optim_wrapper
        endless = self.unit == 'iter' and _is_endless(self.dataloader)
        return Plan(
            self.unit,
            self.max_epochs if self.unit == 'epoch' else self.max_iters,
            0 if endless else len(self.dataloader),
            _batch_size(self.dataloader),
            get_world_size(),
            len(self.dataloader.dataset),  # type: ignore[arg-type]
            int(getattr(wrapper, '_accumulative_counts', 1)),
        )

    def images_at(self, epoch: int, iteration: int) -> int:
        """Images that all processes have read, see :class:`Position`."""
        plan = self.plan
        per_iteration = plan.batch_size * plan.processes
        if plan.unit == 'epoch':
            return (iteration - epoch * plan.epoch_iters) * per_iteration
        begin = self.resumption.position
        return begin.images + (iteration - begin.iteration) * per_iteration

    @contextmanager
    def _own_run(self) -> Iterator[Interruption]:
        """Mind signals, and give the work directory back in the end."""
        try:
            with Interruption() as interruption:
                yield interruption
        finally:
            release_work_dir(self.runner.work_dir)

    def _start(self) -> None:
        """Take up what the checkpoint left, before any hook."""
        if is_main_process():
            (Path(self.runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)
        cfg = getattr(self.runner, '_randomness_cfg', {})
        rank = get_rank() if cfg.get('diff_rank_seed') else 0
        self._seed = int(self.runner.seed or 0) - rank
        sampler = _sampler(self.dataloader)
        if isinstance(sampler, SeededSampler):
            sampler.set_seed(self._seed)
        if self.resumption.source:
            apply_resumption(self.runner, self.resumption)
            restore_own_state(self.runner, self.resumption)

    def _restore_again(self) -> None:
        """Undo what hooks do to it before an epoch, e.g. to the queue of SwAV."""
        restore_own_state(self.runner, self.resumption)
        self.resumption.ranks = []

    def _seed_for(self, what: str, number: int) -> None:
        key = draw_key('step', self._seed, get_rank(), what, number)
        seed_generators(key, devices=True)

    def _validate_if_due(self, unit_done: int, total: int) -> None:
        self._decide_current_val_interval()  # type: ignore[attr-defined]
        loop = self.runner.val_loop
        begun = unit_done >= self.val_begin
        due = unit_done % self.val_interval == 0 or unit_done == total
        if loop is not None and begun and due:
            self._seed_for('validation', self.iter)
            loop.run()

    def _iteration_done(self) -> None:
        """Save, and stop, if a clock or a signal says so."""
        if any(hasattr(hook, 'after_whole_iter') for hook in self.runner.hooks):
            self.runner.call_hook('after_whole_iter', interruption=self.interruption)
        elif self.interruption.agree(False)[0]:
            raise TrainingInterrupted('Interrupted; no hook saves checkpoints.')


@LOOPS.register_module()
class ResumableEpochLoop(_Resumable, EpochBasedTrainLoop):
    """Trains by epochs; a checkpoint may lie inside of one.

    The arguments are mmengine's. The launcher puts this loop in the place of
    ``EpochBasedTrainLoop``.
    """

    unit = 'epoch'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resumption, self.inside = Resumption(), False

    def run(self) -> torch.nn.Module:
        """Train."""
        with self._own_run() as self.interruption:
            self._start()
            self.runner.call_hook('before_train')
            begins = self._iter == self._epoch * len(self.dataloader)
            if not self.resumption.validated and self._epoch and begins:
                # Killed after the checkpoint and before the end of its validation.
                self._validate_if_due(self._epoch, self._max_epochs)
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._validate_if_due(self._epoch, self._max_epochs)
            self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.inside = done > 0
        self._seed_for('epoch begins', self._iter)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self._restore_again()
        batches = read_from(self.dataloader, self._epoch, done)
        for index, batch in enumerate(batches, start=done):
            self.run_iter(index, batch)
        self.inside = False
        self._seed_for('epoch ends', self._iter)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train one iteration; it can be the last for now."""
        self._seed_for('iteration', self._iter)
        super().run_iter(idx, data_batch)
        self._iteration_done()


@LOOPS.register_module()
class ResumableIterLoop(_Resumable, IterBasedTrainLoop):
    """Trains by iterations; a checkpoint may lie anywhere.

    The arguments are mmengine's. The launcher puts this loop in the place of
    ``IterBasedTrainLoop``.
    """

    unit = 'iter'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resumption, self.inside = Resumption(), False

    def run(self) -> torch.nn.Module:
        """Train."""
        with self._own_run() as self.interruption:
            self._start()
            self.runner.call_hook('before_train')
            self._seed_for('epoch begins', 0)
            self.runner.call_hook('before_train_epoch')
            self._restore_again()
            if not self.resumption.validated and self._iter:
                self._validate_if_due(self._iter, self._max_iters)
            batches = self._batches()
            while self._iter < self._max_iters and not self.stop_training:
                self.runner.model.train()
                self.run_iter(next(batches))
                self._validate_if_due(self._iter, self._max_iters)
            self._seed_for('epoch ends', self._iter)
            self.runner.call_hook('after_train_epoch')
            self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """Train one iteration; it can be the last for now."""
        self._seed_for('iteration', self._iter)
        super().run_iter(data_batch)
        self._iteration_done()

    def _batches(self) -> Iterator[Any]:
        """Read on from the position of the checkpoint, pass after pass."""
        plan = self.plan
        done = self.resumption.position.images // (plan.batch_size * plan.processes)
        epoch, done = divmod(done, plan.epoch_iters) if plan.epoch_iters else (0, done)
        while True:
            yield from read_from(self.dataloader, epoch, done)
            epoch, done = epoch + 1, 0


def read_from(loader: DataLoader, epoch: int, done: int) -> Iterator[Any]:
    """Read the batches of an epoch from one on; the others are not loaded.

    Args:
        loader: The data loader. Only with :class:`SeededSampler` nothing is loaded
            for the batches that are left out.
        epoch: Number of the epoch or pass.
        done: Batches to leave out.

    Yields:
        Batches.
    """
    sampler = _sampler(loader)
    if hasattr(sampler, 'set_epoch'):
        sampler.set_epoch(epoch)
    batches = loader.batch_sampler
    if isinstance(batches, SkippingBatchSampler):
        batches.skip_batches(done)
    elif isinstance(sampler, SeededSampler) and loader.batch_size is not None:
        sampler.skip(done * loader.batch_size)
    elif done:
        yield from islice(loader, done, None)
        return
    yield from loader


def _sampler(loader: DataLoader) -> Any:
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _batch_size(loader: DataLoader) -> int:
    return int(loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 1) or 1)


def _is_endless(loader: DataLoader) -> bool:
    sampler = _sampler(loader)
    kind = getattr(sampler, 'kind', type(sampler).__name__)
    return kind == 'InfiniteSampler'
