"""Records where the embeddings of a few images go during training."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap


@HOOKS.register_module()
class TrajectoryHook(Hook):
    """Embeds the same views of a few training images every so often.

    The first process embeds them with backbone and neck in evaluation mode, before
    training and after every ``interval`` epochs or iterations, and keeps the unit
    vectors in ``trajectory.npz`` of the work directory; ``tools/draw_particles.py``
    draws them. Weights, BatchNorm statistics and random numbers of the training are
    not touched. A resumed run goes on with the file.

    Args:
        interval: Epochs or iterations between two records, at least 1.
        by_epoch: Whether ``interval`` counts epochs.
        num_images: Images, evenly spaced over the training set, at least 2.
        num_views: Augmented views of each, at most those that the pipeline makes.
        seed: Seed of the views.

    Raises:
        OptionError: If an argument is out of range, or the model has no neck.
    """

    def __init__(
        self,
        interval: int = 1,
        by_epoch: bool = True,
        num_images: int = 10,
        num_views: int = 4,
        seed: int = 0,
    ) -> None:
        for name, value, least in (
            ('interval', interval, 1),
            ('num_images', num_images, 2),
            ('num_views', num_views, 1),
        ):
            if value < least:
                raise OptionError(f'{name} must be at least {least}, got {value}')
        self.interval = interval
        self.by_epoch = by_epoch
        self.num_images = num_images
        self.num_views = num_views
        self.seed = seed
        self._records: list[np.ndarray] = []
        self._times: list[int] = []

    def before_train(self, runner: Runner) -> None:
        """Choose the images, take up an earlier record and record the start."""
        if not is_main_process():
            return
        from msbreg_mm.datasets.sample import sample_dataset
        from msbreg_mm.evaluation.embedding import Embedder

        model = unwrap(runner.model)
        if not getattr(model, 'with_neck', False):
            raise OptionError(
                f'TrajectoryHook needs a model with backbone and neck, '
                f'{type(model).__name__} has none'
            )
        self._sample = sample_dataset(
            runner.train_dataloader.dataset,
            'train',
            self.num_images,
            self.num_views,
            self.seed,
        )
        cfg: Any = runner.cfg
        preprocessor = cfg.model.get('data_preprocessor') or cfg.get(
            'data_preprocessor'
        )
        device = next(model.parameters()).device
        self._network = Embedder(model, preprocessor or {}).to(device)
        now = runner.epoch if self.by_epoch else runner.iter
        self._take_up(runner, now)
        if not self._times or self._times[-1] < now:
            self._record(runner, now)

    def after_train_epoch(self, runner: Runner) -> None:
        """Record at the end of an epoch."""
        due = self.every_n_epochs(runner, self.interval)
        if self.by_epoch and (due or self.is_last_train_epoch(runner)):
            self._record(runner, runner.epoch + 1)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Record after an iteration."""
        due = self.every_n_train_iters(runner, self.interval)
        if not self.by_epoch and (due or self.is_last_train_iter(runner)):
            self._record(runner, runner.iter + 1)

    def _path(self, runner: Runner) -> Path:
        from msbreg_mm.evaluation.trajectory import FILE

        return Path(runner.work_dir) / FILE

    def _take_up(self, runner: Runner, now: int) -> None:
        """Go on with the record of the run that this one resumes."""
        from msbreg_mm.evaluation.trajectory import load_trajectory

        self._records, self._times = [], []
        if now == 0 or not self._path(runner).is_file():
            return
        try:
            earlier = load_trajectory(self._path(runner)).until(now)
        except ValueError as error:
            runner.logger.log(logging.WARNING, f'TrajectoryHook starts anew: {error}')
            return
        self._records = list(earlier.embeddings)
        self._times = earlier.times.tolist()

    def _record(self, runner: Runner, time: int) -> None:
        if not is_main_process():
            return
        from msbreg_mm.evaluation.trajectory import Trajectory, stack_views

        sample = self._sample
        training = {module: module.training for module in self._network.modules()}
        self._network.eval()
        try:
            found = stack_views(self._network, sample.views or [sample.images])
        finally:
            for module, mode in training.items():
                module.training = mode
        self._records.append(found)
        self._times.append(time)
        Trajectory(
            np.stack(self._records),
            np.array(self._times),
            'epoch' if self.by_epoch else 'iteration',
            np.full(len(sample), -1) if sample.labels is None else sample.labels,
        ).save(self._path(runner))
