"""Changes the weight of a loss over the training."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from msbreg_mm.registry import HOOKS
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap

_FORMS = ('linear', 'cosine')


@HOOKS.register_module()
class LossWeightScheduleHook(Hook):
    r"""Moves the ``loss_weight`` of a module from one value to another.

    In iteration i of N (i = 0, …, N − 1), with p = i / (N − 1) moved and stretched
    so that it rises from 0 at ``begin`` to 1 at ``finish``,

    .. math::

        w_i = w_{start} + (w_{end} - w_{start}) p \quad \text{(linear)}, \qquad
        w_i = w_{end} + (w_{start} - w_{end}) \frac{1 + \cos π p}{2}
        \quad \text{(cosine)}

    The weight depends on the iteration alone, so a resumed run goes on rightly. It
    is logged as ``<module>_weight``, with the last part of the module's name.

    Args:
        module: Dotted name of a submodule with a number ``loss_weight``, e.g.
            ``'head.brownian'``, or ``'regularizer.brownian'`` of a regularised
            method.
        end: Weight at ``finish`` and after it, at least 0.
        start: Weight until ``begin``, at least 0; by default the module's own.
        form: ``'linear'`` or ``'cosine'``.
        begin: Fraction of the training before which nothing changes, in [0, 1).
        finish: Fraction of the training at which ``end`` is reached, in
            (begin, 1].

    Raises:
        OptionError: If an argument is out of range, or, when training starts, if
            the model has no such module or the module no ``loss_weight``.
    """

    def __init__(
        self,
        module: str,
        end: float,
        start: float | None = None,
        form: str = 'linear',
        begin: float = 0.0,
        finish: float = 1.0,
    ) -> None:
        for name, weight in (('start', start), ('end', end)):
            if weight is not None and not (math.isfinite(weight) and weight >= 0):
                raise OptionError(
                    f'{name} must be a finite weight of at least 0, got {weight}'
                )
        if form not in _FORMS:
            raise OptionError(f'form must be one of {_FORMS}, got {form!r}')
        if not 0 <= begin < finish <= 1:
            raise OptionError(
                f'need 0 <= begin < finish <= 1 (fractions of the training), got '
                f'begin={begin}, finish={finish}'
            )
        self.module = module
        self.start, self.end = start, end
        self.form = form
        self.begin, self.finish = begin, finish

    def before_train(self, runner: Runner) -> None:
        """Check that the module is there and has a weight."""
        loss = self._find(runner)
        if self.start is None:
            self.start = float(loss.loss_weight)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set and log the weight of this iteration."""
        weight = self.weight_at(runner.iter, runner.max_iters)
        self._find(runner).loss_weight = weight
        name = self.module.rpartition('.')[2]
        runner.message_hub.update_scalar(f'train/{name}_weight', weight)

    def weight_at(self, iteration: int, total: int) -> float:
        """Compute the weight.

        Args:
            iteration: i, from 0.
            total: N, number of iterations of the training.

        Returns:
            w_i.
        """
        assert self.start is not None
        progress = iteration / max(total - 1, 1)
        p = min(max((progress - self.begin) / (self.finish - self.begin), 0.0), 1.0)
        if self.form == 'cosine':
            p = (1 - math.cos(math.pi * p)) / 2
        return self.start + (self.end - self.start) * p

    def _find(self, runner: Runner) -> Any:
        model = unwrap(runner.model)
        found = dict(model.named_modules()).get(self.module)
        if found is None or not hasattr(found, 'loss_weight'):
            weighted = [
                n for n, m in model.named_modules() if hasattr(m, 'loss_weight')
            ]
            raise OptionError(
                f'{type(model).__name__} has no module {self.module!r} with a '
                f'loss_weight for LossWeightScheduleHook; it has {weighted}'
            )
        return found
