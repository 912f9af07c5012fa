"""Watches the accuracy of the features while they are pretrained."""

import math
import time
from typing import Any

import numpy as np
import torch
from mmengine.dist import (
    all_gather,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from msbreg_mm.engine.best_checkpoint import check_save_best, save_best
from msbreg_mm.engine.isolation import buffers_of_first_rank, isolated
from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap

PREFIX = 'probe/'
_LOADER = {
    'num_workers': 0,
    'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    'collate_fn': {'type': 'default_collate'},
}


@HOOKS.register_module()
class OnlineProbeHook(Hook):
    """Scores the online backbone by kNN and a linear probe every few epochs.

    Pooled features of the images of ``bank`` are what both are fitted on, those of
    ``query`` what they are scored on; the projector is not used. Logged, and
    written to ``scalars.json`` with the epoch (or iteration) as ``step``:

    - ``probe/knn_top1``: weighted nearest neighbours, in percent;
    - ``probe/linear_top1``: logistic regression on standardised features, in
      percent;
    - ``probe/effective_rank``: RankMe of the features of ``query``, from 1 to
      their dimension;
    - ``probe/seconds``: what the probe took.

    ``default_hooks.checkpoint.save_best='probe/knn_top1'`` keeps the checkpoint
    with the best value (``probe/effective_rank`` also needs ``rule='greater'``).

    Training is the same with and without the hook to the last bit: see
    :func:`msbreg_mm.engine.isolation.isolated`. The features are computed in
    float32, on all ranks; the first fits the probes and tells the others. The
    probe of an epoch runs before the next one, when mmengine has counted it, and
    the last after the training; a run that resumes at an epoch probes it again.

    Features that are NaN or infinite are a warning and NaN in the log, which
    never is the best; ending a run that diverges is the business of
    :class:`msbreg_mm.engine.hooks.EmbeddingMonitorHook`, which sees it earlier.

    Args:
        bank: Config of a data loader, at least ``dataset`` (labelled, one class an
            image, a pipeline without random transforms) and ``batch_size``.
        query: The same, of the images to classify.
        interval: Epochs or iterations between two probes, at least 1.
        by_epoch: Whether ``interval`` counts epochs; CheckpointHook's
            ``by_epoch`` must be the same to save the best.
        k: Number of neighbours, 1 to the size of the bank; mmselfsup's.
        temperature: Temperature of the votes, positive; mmselfsup's.
        linear: Whether to fit the linear probe.
        cost: Inverse weight of its penalty, scikit-learn's C, positive. This
            project's choice.
        max_iter: Its limit of iterations, at least 1; scikit-learn's.
        at_start: Probe before the first step, too: the random features.

    Raises:
        OptionError: If an argument is out of range, or, before training, if a data
            set has no labels, several an image, or a class without an image in
            the bank, if the bank has fewer images than ``k``, or CheckpointHook
            cannot save the best as asked.
    """

    # Before the timer of iterations, which counts from its own turn.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        bank: dict,
        query: dict,
        interval: int = 1,
        by_epoch: bool = True,
        k: int = 20,
        temperature: float = 0.07,
        linear: bool = True,
        cost: float = 0.01,
        max_iter: int = 100,
        at_start: bool = False,
    ) -> None:
        for name, count in (('interval', interval), ('k', k), ('max_iter', max_iter)):
            if count < 1:
                raise OptionError(f'{name} must be at least 1, got {count}')
        if temperature <= 0 or cost <= 0:
            raise OptionError(
                f'temperature and cost must be positive, got {temperature} and {cost}'
            )
        for name, loader in (('bank', bank), ('query', query)):
            if not {'dataset', 'batch_size'} <= set(loader):
                raise OptionError(
                    f'{name} of OnlineProbeHook needs dataset and batch_size, got '
                    f'{sorted(loader)}'
                )
        self.loader_configs = {'bank': bank, 'query': query}
        self.interval = interval
        self.by_epoch = by_epoch
        self.k = k
        self.temperature = temperature
        self.linear = linear
        self.cost = cost
        self.max_iter = max_iter
        self.at_start = at_start
        self.metrics = tuple(
            PREFIX + name
            for name in ('knn_top1', 'linear_top1', 'effective_rank')
            if linear or name != 'linear_top1'
        )
        self._loaders: dict[str, DataLoader] = {}
        self._labels: dict[str, tuple[np.ndarray, tuple[str, ...]]] = {}

    def before_train(self, runner: Runner) -> None:
        """Build the data sets and find what is wrong before anything is trained."""
        if self.by_epoch and not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise OptionError(
                f'{type(runner.train_loop).__name__} counts iterations; set '
                'by_epoch=False and interval in iterations for OnlineProbeHook'
            )
        model = _model(runner)
        for name in ('extract_feat', 'data_preprocessor'):
            if not hasattr(model, name):
                raise OptionError(
                    f'{type(model).__name__} has no {name}; OnlineProbeHook takes '
                    'self-supervised models and classifiers of mmpretrain'
                )
        check_save_best(runner, self.metrics, self.by_epoch, 'OnlineProbeHook')
        with isolated(model, _seed(runner)):
            self._build(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Probe what the epochs before this one made."""
        # Resumed inside of an epoch: probed when the epoch began.
        if self.by_epoch and not getattr(runner.train_loop, 'inside', False):
            self._probe_at(runner, runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Probe what the iterations before this one made."""
        if not self.by_epoch:
            self._probe_at(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Probe the final network."""
        self._probe(runner, runner.epoch if self.by_epoch else runner.iter)

    def _probe_at(self, runner: Runner, position: int) -> None:
        if self.at_start if position == 0 else position % self.interval == 0:
            self._probe(runner, position)

    def _probe(self, runner: Runner, position: int) -> None:
        begin = time.monotonic()
        with isolated(_model(runner), _seed(runner)):
            sets = {name: self._features(runner, name) for name in self._loaders}
            found = [self._score(runner, **sets) if is_main_process() else {}]
            # All ranks must save the same best.
            broadcast_object_list(found)
        metrics: dict[str, float] = found[0]
        unit = 'epoch' if self.by_epoch else 'iteration'
        seconds = time.monotonic() - begin
        figures = ', '.join(
            f'{key.removeprefix(PREFIX)} {x:.2f}' for key, x in metrics.items()
        )
        runner.logger.info(
            f'Online probe after {unit} {position}: {figures} ({seconds:.1f} s)'
        )
        for key, value in metrics.items():
            runner.message_hub.update_scalar(key, value)
        runner.visualizer.add_scalars(
            {**metrics, f'{PREFIX}seconds': seconds},
            step=position,
            file_path=f'{runner.timestamp}.json',
        )
        save_best(runner, metrics)

    def _score(
        self, runner: Runner, bank: np.ndarray, query: np.ndarray
    ) -> dict[str, float]:
        """Fit both probes and return the metrics by :attr:`metrics`."""
        # Here, as scikit-learn takes a second that other users of hooks save.
        from msbreg_mm.evaluation.features import FeatureSet
        from msbreg_mm.evaluation.online_probe import online_scores

        bad = sum(int((~np.isfinite(x).all(axis=1)).sum()) for x in (bank, query))
        if bad:
            runner.logger.warning(
                f'Online probe: {bad} of {len(bank) + len(query)} features are NaN or '
                'infinite: the training has diverged. Lower the learning rate, warm up '
                'longer, or check the inputs.'
            )
            return dict.fromkeys(self.metrics, math.nan)
        train = FeatureSet(bank, *self._labels['bank'], 'bank')
        val = FeatureSet(query, *self._labels['query'], 'query')
        cost = self.cost if self.linear else None
        scores = online_scores(
            train, val, self.k, self.temperature, cost, self.max_iter
        )
        return {PREFIX + name: value for name, value in scores.items()}

    def _features(self, runner: Runner, name: str) -> np.ndarray:
        """Compute the features of one set, each rank its share, (N, D)."""
        from msbreg_mm.evaluation.extraction import extract_features

        count, ranks = len(self._labels[name][0]), get_world_size()
        share = -(-count // ranks)
        # All shares have one size; what they have in common is cut below.
        first = min(get_rank() * share, count - share)
        rows = range(first, first + share)
        model = _model(runner)
        with buffers_of_first_rank(model):
            parts = extract_features(model, self._loaders[name], rows)
            own = torch.from_numpy(np.concatenate([part for _, part in parts]))
        shares = [part.numpy() for part in all_gather(own)]
        starts = [min(rank * share, count - share) for rank in range(ranks)]
        features = np.empty((count, own.shape[1]), np.float32)
        for start, part in zip(starts, shares, strict=True):
            features[start : start + share] = part
        return features

    def _build(self, runner: Runner) -> None:
        from msbreg_mm.evaluation.extraction import read_labels
        from msbreg_mm.evaluation.features import FeatureSet, check_pair

        for name, config in self.loader_configs.items():
            loader = runner.build_dataloader({**_LOADER, **config}, seed=runner.seed)
            self._loaders[name] = loader
            self._labels[name] = read_labels(loader.dataset, f'OnlineProbeHook.{name}')
        bank, query = (
            FeatureSet(np.zeros((len(labels), 1), np.float32), labels, classes, name)
            for name, (labels, classes) in self._labels.items()
        )
        if bank.multi_label or query.multi_label:
            raise OptionError(
                'OnlineProbeHook votes for one class an image, these have several'
            )
        check_pair(bank, query)
        if len(bank) < self.k:
            raise OptionError(
                f'bank of OnlineProbeHook has {len(bank)} images, fewer than '
                f'k={self.k} neighbours; use more images or a smaller k'
            )


def _model(runner: Runner) -> nn.Module:
    return unwrap(runner.model)


def _seed(runner: Runner) -> int:
    return int(runner.seed or 0) % 2**32
