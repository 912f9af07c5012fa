"""Watches the geometry of the embeddings while they are trained."""

import math
from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.engine import atomic_backend  # noqa: F401 - registers the backend
from msbreg_mm.evaluation.geometry import summarize
from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap

# Names in the log of the measures of `summarize`.
_SCALARS = {
    'effective_rank': 'effective_rank',
    'largest_share': 'largest_singular_value_share',
    'uniformity': 'uniformity',
    'alignment': 'alignment',
    'std': 'embedding_std',
}


class EmbeddingCollapseError(RuntimeError):
    """The embeddings have collapsed; the message says how far and what to try."""


@HOOKS.register_module()
class EmbeddingMonitorHook(Hook):
    """Logs embedding geometry and says loudly when the embeddings collapse.

    Every ``interval`` iterations the output of one module is captured (in the
    iterations between nothing is attached to the model), gathered from all
    processes, normalised, and summarised by
    :func:`msbreg_mm.evaluation.geometry.summarize`. The scalars
    ``effective_rank``, ``largest_singular_value_share``, ``uniformity``,
    ``alignment`` and ``embedding_std`` appear in the training log and in
    ``scalars.json``.

    A reading is collapsed if the effective rank falls below
    ``min_effective_rank * min(N, D)`` or the mean standard deviation of a
    dimension below ``min_std / sqrt(D)``; 1/sqrt(D) is that of embeddings spread
    evenly on the sphere. ``collapsed_readings`` counts them.

    Args:
        interval: Iterations between two readings, at least 1.
        module: Name of the submodule whose output is read: a tensor of shape
            (K, N, D), or (N, D) once per view, or a tuple that starts with one.
        min_effective_rank: Fraction of min(N, D), in [0, 1]; this project's
            choice.
        min_std: Fraction of 1/sqrt(D), in [0, 1]; this project's choice.
        patience: Collapsed readings in a row that make a collapse, at least 1;
            networks often start with a low rank. This project's choice.
        stop_on_collapse: End the run then: a checkpoint ``collapsed_iter_*.pth``
            is saved for inspection (resuming does not use it) and an
            :class:`EmbeddingCollapseError` raised, so that no script goes on
            with the collapsed network.
        max_samples: Most images of a reading over all processes, at least 2; it
            bounds the cost of the singular values. This project's choice.

    Raises:
        ValueError: If an argument is out of range, or, while training, if the
            module is missing, not called, or its output has another shape.
        FloatingPointError: If an embedding is NaN or infinite.
        EmbeddingCollapseError: See ``stop_on_collapse``.
    """

    def __init__(
        self,
        interval: int = 50,
        module: str = 'head.embeddings',
        min_effective_rank: float = 0.05,
        min_std: float = 0.05,
        patience: int = 3,
        stop_on_collapse: bool = False,
        max_samples: int = 1024,
    ) -> None:
        _check_at_least(1, interval=interval, patience=patience)
        _check_at_least(2, max_samples=max_samples)
        _check_fraction(min_effective_rank=min_effective_rank, min_std=min_std)
        self.interval = interval
        self.module = module
        self.min_effective_rank = min_effective_rank
        self.min_std = min_std
        self.patience = patience
        self.stop_on_collapse = stop_on_collapse
        self.max_samples = max_samples
        self.collapsed_readings = 0
        self._in_a_row = 0
        self._captured: list[Tensor] = []
        self._handle: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Check that the module is there before anything is computed."""
        self._find_module(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Attach to the module in iterations that will be read."""
        if self.every_n_train_iters(runner, self.interval):
            self._captured = []
            self._handle = self._find_module(runner).register_forward_hook(
                self._capture
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Summarise what was captured, log it, and judge it."""
        if self._handle is None:
            return
        self._handle.remove()
        self._handle = None
        embeddings = self._gather(self._stack())
        self._captured = []
        if not torch.isfinite(embeddings).all():
            raise FloatingPointError(
                f'embeddings of {self.module!r} hold NaN or infinity at iteration '
                f'{runner.iter + 1}; lower the learning rate, warm up longer, or '
                'check the inputs'
            )
        figures = _summarize(embeddings)
        for name, value in figures.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        self._judge(runner, figures, embeddings.shape)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the counts of collapsed readings."""
        counts = {'in_a_row': self._in_a_row, 'all': self.collapsed_readings}
        checkpoint['embedding_monitor'] = {
            **self._others(checkpoint),
            self.module: counts,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore them if the run resumes."""
        if getattr(runner, '_resume', False):
            counts = self._others(checkpoint).get(self.module, {})
            self._in_a_row = counts.get('in_a_row', 0)
            self.collapsed_readings = counts.get('all', 0)

    @staticmethod
    def _others(checkpoint: dict) -> dict[str, dict[str, int]]:
        return checkpoint.get('embedding_monitor', {})

    def _find_module(self, runner: Runner) -> nn.Module:
        model = unwrap(runner.model)
        modules = dict(model.named_modules())
        if self.module not in modules:
            raise OptionError(
                f'{type(model).__name__} has no module {self.module!r} for '
                "EmbeddingMonitorHook; set module, e.g. to 'neck'. It has "
                f'{[name for name, _ in model.named_children()]}'
            )
        return modules[self.module]

    def _capture(self, module: nn.Module, inputs: tuple, output: Any) -> None:
        if isinstance(output, (tuple, list)) and output:
            output = output[0]
        if not isinstance(output, Tensor) or output.dim() not in (2, 3):
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output)
            raise OptionError(
                f'EmbeddingMonitorHook reads embeddings (K, N, D) or (N, D) from '
                f'{self.module!r}, got {got}'
            )
        self._captured.append(output.detach())

    def _stack(self) -> Tensor:
        """Stack the calls of this iteration to (K, N, D), float32."""
        views = [view for call in self._captured for view in _views(call)]
        shapes = {tuple(view.shape) for view in views}
        if len(shapes) != 1:
            raise OptionError(
                f'EmbeddingMonitorHook needs views of one shape from {self.module!r}, '
                f'got {sorted(shapes) or "no call in this iteration"}'
            )
        return torch.stack(views).float()

    def _gather(self, embeddings: Tensor) -> Tensor:
        """Join the images of all processes, at most ``max_samples``."""
        # The last batch may differ; a collective needs one shape everywhere.
        count = torch.tensor(
            min(embeddings.shape[1], math.ceil(self.max_samples / get_world_size())),
            device=embeddings.device,
        )
        all_reduce(count, op='min')
        own = embeddings[:, : int(count)].contiguous()
        # All processes see the same figures and so decide the same.
        return torch.cat(all_gather(own), dim=1)[:, : self.max_samples]

    def _judge(
        self, runner: Runner, figures: dict[str, float], shape: torch.Size
    ) -> None:
        least_rank = self.min_effective_rank * min(shape[1:])
        least_std = self.min_std / math.sqrt(shape[2])
        rank, std = figures['effective_rank'], figures['embedding_std']
        if rank >= least_rank and std >= least_std:
            self._in_a_row = 0
            return
        self.collapsed_readings += 1
        self._in_a_row += 1
        runner.message_hub.update_scalar(
            'train/collapsed_readings', self.collapsed_readings
        )
        if self._in_a_row < self.patience:
            return
        message = (
            f'EMBEDDINGS COLLAPSED at iteration {runner.iter + 1}: effective rank '
            f'{rank:.2f} of {min(shape[1:])} (threshold {least_rank:.2f}), standard '
            f'deviation {std:.2g} per dimension (threshold {least_std:.2g}, spread '
            f'evenly {1 / math.sqrt(shape[2]):.2g}), {self._in_a_row} readings in a '
            'row. Try a larger weight of the singular value loss, a larger batch, a '
            'lower learning rate, a longer warm-up, or a target momentum nearer 1.'
        )
        runner.logger.warning(message)
        if self.stop_on_collapse:
            raise EmbeddingCollapseError(f'{message} {_save(runner)}')


def _views(output: Tensor) -> list[Tensor]:
    return [output] if output.dim() == 2 else list(output)


def _summarize(embeddings: Tensor) -> dict[str, float]:
    figures = summarize(F.normalize(embeddings, dim=-1))
    return {_SCALARS[name]: x for name, x in figures.items() if name in _SCALARS}


def _save(runner: Runner) -> str:
    """Save what collapsed, apart from the checkpoints that a run resumes from."""
    name = f'collapsed_iter_{runner.iter + 1}.pth'
    runner.save_checkpoint(
        runner.work_dir,
        name,
        save_optimizer=False,
        save_param_scheduler=False,
        by_epoch=False,
        backend_args={'backend': 'msbreg_atomic'},
    )
    # The first process saves; an error in another would have it killed meanwhile.
    barrier()
    return f'The network is saved as {name} in the work directory.'


def _check_at_least(least: int, **arguments: int) -> None:
    for name, value in arguments.items():
        if value < least:
            raise OptionError(f'{name} must be at least {least}, got {value}')


def _check_fraction(**arguments: float) -> None:
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise OptionError(f'{name} must be in [0, 1], got {value}')
