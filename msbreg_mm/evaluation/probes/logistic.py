"""The logistic regression probe."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.logging import print_log

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.logistic import L2_GRID, fit_logistic, split_validation
from msbreg_mm.evaluation.logistic_solvers import SklearnSolver, Solver, TorchSolver
from msbreg_mm.evaluation.probes.base import Probe, find_device
from msbreg_mm.evaluation.scores import score
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import OptionError


@PROBES.register_module()
class LogisticProbe(Probe):
    """Logistic regression with the penalty chosen on a validation split.

    The protocol of ssl-transfer, see
    :func:`msbreg_mm.evaluation.logistic.fit_logistic`. The validation split is the
    last data set if ``train`` is a concatenation (of an official training and
    validation split), else a fifth of each class, drawn with the seed.

    Metrics: ``logistic/top1`` and ``logistic/mean_class``, or ``logistic/mAP``
    (11 points) of images with several labels, in percent; ``logistic/l2``, the
    chosen penalty; ``logistic/validation``, the metric it was chosen by;
    ``logistic/unconverged``, the number of fits that reached ``max_iter``.

    Args:
        metric: What the penalty is chosen by: ``'top1'`` or ``'mean_class'``, as
            the data set is scored. ``'mAP'`` is taken for several labels.
        l2_grid: Weights of the penalty, positive; ssl-transfer's 45 values. One
            value needs no validation split.
        validation_fraction: Share of each class that is drawn, in (0, 1);
            ssl-transfer's.
        solver: ``'sklearn'``, ``'torch'`` or ``'auto'``, which is torch: it finds
            the minimum that scikit-learn's L-BFGS approaches, and faster
            (``docs/results/benchmarks.md``).
        device: Of the torch solver, ``'auto'`` for a GPU if there is one.
        ignored_as_negative: Take ignored labels (VOC's difficult objects) as
            negative, in fit and score, as ssl-transfer's VOC2007 does; by default
            such an image is left out of the class.
        max_iter: Limit of iterations of a fit; this project's choice
            (ssl-transfer stops at 100, before weak penalties converge).
        tol: Gradient at which a fit stops; by default the solver's.

    Raises:
        OptionError: If an argument is out of range, or a class has too few images
            to be fitted and validated on.
    """

    name = 'logistic'

    def __init__(
        self,
        metric: str = 'top1',
        l2_grid: Sequence[float] = L2_GRID,
        validation_fraction: float = 0.2,
        solver: str = 'auto',
        device: str = 'auto',
        max_iter: int = 1000,
        tol: float | None = None,
        ignored_as_negative: bool = False,
    ) -> None:
        if solver not in ('auto', 'sklearn', 'torch'):
            raise OptionError(
                f"solver must be 'auto', 'sklearn' or 'torch', got {solver!r}"
            )
        if metric not in ('top1', 'mean_class', 'mAP'):
            raise OptionError(
                f"metric must be 'top1', 'mean_class' or 'mAP', got {metric!r}"
            )
        if not 0 < validation_fraction < 1:
            raise OptionError(
                f'validation_fraction must be in (0, 1), got {validation_fraction}'
            )
        if not l2_grid or min(l2_grid) <= 0:
            raise OptionError(f'l2_grid must be positive numbers, got {list(l2_grid)}')
        if max_iter < 1:
            raise OptionError(f'max_iter must be at least 1, got {max_iter}')
        self.metric = metric
        self.l2_grid = tuple(l2_grid)
        self.validation_fraction = validation_fraction
        self.solver = solver
        self.device = device
        self.ignored_as_negative = ignored_as_negative
        self.limits: dict[str, Any] = {'max_iter': max_iter}
        if tol is not None:
            self.limits['tol'] = tol

    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Fit and score. See :class:`Probe`."""
        metric = 'mAP' if train.multi_label else self.metric
        if self.ignored_as_negative and train.multi_label:
            train, val = (
                replace(s, labels=np.maximum(s.labels, 0)) for s in (train, val)
            )
        split = None
        if len(self.l2_grid) > 1:
            split = split_validation(train, seed, self.validation_fraction)
        result = fit_logistic(
            train, split, val, self._make_solver(), metric, self.l2_grid
        )
        if result.unconverged:
            print_log(
                f'{result.unconverged} of {result.fits} logistic regressions reached '
                f'{self.limits["max_iter"]} iterations before they converged; raise '
                'max_iter for their exact minimum.',
                'current',
            )
        names = ('mAP',) if train.multi_label else ('top1', 'mean_class')
        found = {name: score(name, result.scores, val.labels) for name in names}
        if not train.multi_label:
            right = result.scores.argmax(axis=1) == val.labels
            self.hits = {f'logistic/{name}': right for name in names}
        found |= {'l2': result.l2, 'unconverged': float(result.unconverged)}
        if split is not None:
            found['validation'] = float(result.validation.max())
        return {f'logistic/{name}': value for name, value in found.items()}

    def _make_solver(self) -> Solver:
        if self.solver == 'sklearn':
            return SklearnSolver(**self.limits)
        return TorchSolver(find_device(self.device), **self.limits)
