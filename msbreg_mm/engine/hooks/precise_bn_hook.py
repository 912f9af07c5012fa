"""Replaces the running statistics of batch normalisation by exact ones."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError


@HOOKS.register_module()
class PreciseBNHook(Hook):
    r"""Computes BN statistics with fixed weights before each validation.

    While weights change, running averages lag behind them. As in detectron2, which
    MoCo's detection recipes use, the statistics are recomputed over ``num_iters``
    training batches before each validation and at the end of training, so that what
    is scored is also what the last checkpoint holds. Wu and Johnson, "Rethinking
    'Batch' in BatchNorm", 2021, arXiv 2105.07576, section 3.

    With batch means :math:`\mu_b`, biased batch variances :math:`v_b` and numbers
    of values :math:`n_b` over all batches and processes,

    .. math:: \mu = \sum_b n_b \mu_b / n, \quad
              v = \sum_b n_b (v_b + \mu_b^2) / n - \mu^2, \quad n = \sum_b n_b,

    which are mean and variance of everything that has passed the layer.

    mmpretrain's hook of this name does not fit detectors: it runs the model in
    ``tensor`` mode, so that C4's ``shared_head`` sees test-time proposals, averages
    the variances without those of the means, draws from the training's own data
    loader, and knows neither ``val_interval`` nor the last iteration.

    Layers in evaluation mode (frozen, ``norm_eval``) and layers that no batch
    reaches keep what they have. The images are the first ones of a fixed random
    order, equal for every call.

    Args:
        num_iters: Training batches per process, at least 1; no more than one pass
            over the data. 200 is detectron2's default.

    Raises:
        OptionError: If ``num_iters`` is below 1.
    """

    # Before the CheckpointHook of the same iteration.
    priority = 'ABOVE_NORMAL'

    def __init__(self, num_iters: int = 200) -> None:
        if num_iters < 1:
            raise OptionError(f'num_iters must be at least 1, got {num_iters}')
        self.num_iters = num_iters

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Recompute if a validation follows, or training ends."""
        if not _by_epoch(runner) and self._is_due(runner, runner.iter + 1):
            self._recompute(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Do the same where training counts epochs."""
        if _by_epoch(runner) and self._is_due(runner, runner.epoch + 1):
            self._recompute(runner)

    @staticmethod
    def _is_due(runner: Runner, done: int) -> bool:
        loop = runner.train_loop
        if done == (loop.max_epochs if _by_epoch(runner) else loop.max_iters):
            return True
        validates = runner.val_loop is not None and done >= loop.val_begin
        return validates and done % loop.val_interval == 0

    def _recompute(self, runner: Runner) -> None:
        """Run training batches without gradients and write the statistics."""
        wrapped = is_model_wrapper(runner.model)
        model = runner.model.module if wrapped else runner.model
        layers = [
            layer
            for layer in model.modules()
            if isinstance(layer, _BatchNorm)
            and layer.training
            and layer.track_running_stats
        ]
        if not layers:
            runner.logger.warning('Precise BN: no layer is in training mode.')
            return
        with record_statistics(layers) as statistics, torch.no_grad():
            for batch in _train_batches(runner, self.num_iters):
                with runner.optim_wrapper.optim_context(runner.model):
                    data = model.data_preprocessor(batch, training=True)
                    model(**data, mode='loss')
        reached = [_write(layer, sums) for layer, sums in statistics.items()]
        runner.logger.info(
            f'Precise BN: new statistics in {sum(reached)} of {len(layers)} layers.'
        )


@contextmanager
def record_statistics(layers: Sequence[nn.Module]) -> Iterator[dict[nn.Module, Tensor]]:
    """Sum up what enters the layers; their buffers are as before at the end.

    Args:
        layers: Batch normalisation of C channels each.

    Yields:
        Per layer a (3, C) tensor of float64: the numbers of values, their sums and
        sums of squares, of this process.
    """
    means = {layer: layer.get_buffer('running_mean') for layer in layers}
    sums = {
        layer: torch.zeros(3, len(mean), dtype=torch.float64, device=mean.device)
        for layer, mean in means.items()
    }
    before = [{k: b.clone() for k, b in layer.named_buffers()} for layer in layers]

    def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach().float()  # (N, C, …)
        if count := x.numel() // x.shape[1]:
            dims = [dim for dim in range(x.ndim) if dim != 1]
            moments = torch.var_mean(x, dim=dims, correction=0)
            variance, mean = (moment.double() for moment in moments)
            sums[layer] += count * torch.stack(
                [torch.ones_like(mean), mean, variance + mean.square()]
            )

    handles = [layer.register_forward_pre_hook(add) for layer in layers]
    try:
        yield sums
    finally:
        for handle in handles:
            handle.remove()
        for layer, buffers in zip(layers, before, strict=True):
            for name, value in buffers.items():
                layer.get_buffer(name).copy_(value)


def _write(layer: nn.Module, sums: Tensor) -> bool:
    """Set a layer's statistics from the sums of all processes, if there are any."""
    all_reduce(sums)
    count, total, squares = sums
    if not count[0]:
        return False
    mean = total / count
    layer.get_buffer('running_mean').copy_(mean)
    variance = (squares / count - mean.square()).clamp_min(0)
    layer.get_buffer('running_var').copy_(variance)
    return True


def _train_batches(runner: Runner, num_iters: int) -> Iterator[Any]:
    """Draw from a second loader of the training data: the first is undisturbed."""
    settings = dict(runner.cfg.get('train_dataloader') or {})
    if not settings:
        raise OptionError(
            'PreciseBNHook needs train_dataloader in the config of the runner; build '
            'it with Runner.from_cfg'
        )
    settings['dataset'] = runner.train_dataloader.dataset
    settings['persistent_workers'] = False
    # A seed of its own, equal on all processes: the ranks' parts must not overlap.
    loader = Runner.build_dataloader(settings, seed=0)
    # len(loader) does not count the processes if the sampler is infinite.
    images = loader.batch_sampler.batch_size * get_world_size()
    one_pass = math.ceil(len(settings['dataset']) / images)
    return islice(loader, min(num_iters, one_pass))


def _by_epoch(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)
