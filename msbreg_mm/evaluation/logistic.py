"""Logistic regression on frozen features over a grid of regularisation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.logistic_solvers import Solver
from msbreg_mm.evaluation.scores import score
from msbreg_mm.utils.errors import DataError, OptionError

# Ericsson et al., "How Well Do Self-Supervised Models Transfer?", CVPR 2021, and
# Kornblith et al., "Do Better ImageNet Models Transfer Better?", CVPR 2019: weights
# of the penalty, from strong to weak, so that every fit starts near its optimum.
L2_GRID = tuple(np.logspace(5, -6, 45).tolist())


@dataclass(frozen=True)
class LogisticResult:
    """What :func:`fit_logistic` found.

    Attributes:
        scores: Decision function of the test images (N, C).
        l2: Chosen weight of the penalty.
        validation: Metric on the validation split by ``l2_grid``, in percent.
        unconverged: Fits that stopped at the limit of iterations; of those, the
            numbers depend on where the fit began.
        fits: Number of all fits.
    """

    scores: np.ndarray
    l2: float
    validation: np.ndarray
    unconverged: int
    fits: int


def fit_logistic(
    train: FeatureSet,
    is_validation: np.ndarray | None,
    test: FeatureSet,
    solver: Solver,
    metric: str = 'top1',
    l2_grid: Sequence[float] = L2_GRID,
) -> LogisticResult:
    """Choose the penalty on a validation split, refit on all, score the test set.

    Ericsson et al., CVPR 2021, arXiv 2011.13377, Section 3: multinomial logistic
    regression with an L2 penalty by L-BFGS; images with several labels get one
    binary regression per class, all with one penalty, and ignored ones are left
    out of their class.

    Args:
        train: Images of the training and the validation split.
        is_validation: Mask (N,) of the validation split; ``None`` for one value in
            ``l2_grid``, which nothing has to be chosen from.
        test: Images to score.
        solver: Fits one regression.
        metric: What is maximised on the validation split, one of
            :data:`msbreg_mm.evaluation.scores.METRICS`; of equal values the
            stronger penalty is taken.
        l2_grid: Weights of the penalty, positive.

    Returns:
        The scores of the test images and how they came about.

    Raises:
        OptionError: If a class lacks images in a split, or an argument is out of
            range.
    """
    if not l2_grid or min(l2_grid) <= 0:
        raise OptionError(f'l2_grid must be positive numbers, got {list(l2_grid)}')
    if (is_validation is None) != (len(l2_grid) == 1):
        raise OptionError(
            f'a validation split chooses from several l2 values, got {len(l2_grid)}'
        )
    if not train.classes:
        # A part of the images must still know of all classes.
        names = tuple(map(str, range(train.num_classes)))
        train = replace(train, classes=names)
    choice = _Choice(np.full(1, np.nan), 0)
    if is_validation is not None:
        choice = _choose(train, is_validation, solver, metric, l2_grid)
    l2 = float(l2_grid[choice.index])
    _check_classes(train)
    final = _Regressions(train, solver, choice.weights)
    final.fit(l2)
    return LogisticResult(
        scores=final.decide(test.features),
        l2=l2,
        validation=choice.found,
        unconverged=choice.unconverged + final.unconverged,
        fits=choice.fits + final.fits,
    )


@dataclass(frozen=True)
class _Choice:
    found: np.ndarray
    index: int
    weights: list[np.ndarray] | None = None
    unconverged: int = 0
    fits: int = 0


def _choose(
    train: FeatureSet,
    is_validation: np.ndarray,
    solver: Solver,
    metric: str,
    l2_grid: Sequence[float],
) -> _Choice:
    """Fit all penalties beside the validation split, from strong to weak."""
    fitted, validation = train.take(~is_validation), train.take(is_validation)
    _check_classes(fitted)
    model = _Regressions(fitted, solver)
    found, best = np.zeros(len(l2_grid)), -1
    weights: list[np.ndarray] = []
    # Every fit starts at the minimum of the one before, which is near its own.
    for index in sorted(range(len(l2_grid)), key=lambda i: -l2_grid[i]):
        model.fit(l2_grid[index])
        scores = model.decide(validation.features)
        found[index] = score(metric, scores, validation.labels)
        if best < 0 or found[index] > found[best]:
            best, weights = index, model.weights
    return _Choice(found, best, weights, model.unconverged, model.fits)


def split_validation(train: FeatureSet, seed: int, fraction: float = 0.2) -> np.ndarray:
    """Choose a validation split: the last data set of several, else at random.

    Args:
        train: Concatenated data sets (an official training and validation split),
            or one; from that a fraction of each class is drawn, at least one image.
            Rows of one image file (``train.images``) stay together.
        seed: Seed of the draw.
        fraction: In (0, 1); ssl-transfer's 0.2, which it draws without regard to
            classes.

    Returns:
        Mask (N,) of the validation split.

    Raises:
        DataError: If a class has a single image, or ``fraction`` is out of range.
    """
    if train.images is not None and len(train.parts) <= 1:
        # Draw among the first rows of the files; the others follow.
        _, first, number = np.unique(
            train.images, return_index=True, return_inverse=True
        )
        order = np.sort(first)
        drawn = np.zeros(len(train), bool)
        drawn[order] = split_validation(
            replace(train.take(order), classes=train.classes, images=None),
            seed,
            fraction,
        )
        return drawn[first[number]]
    mask = np.zeros(len(train), bool)
    if len(train.parts) > 1:
        mask[-train.parts[-1] :] = True
        return mask
    if not 0 < fraction < 1:
        raise DataError(f'fraction must be in (0, 1), got {fraction}')
    rng = np.random.default_rng(seed)
    if train.multi_label:
        mask[rng.permutation(len(train))[: max(1, round(fraction * len(train)))]] = True
        return mask
    single = np.flatnonzero(train.counts == 1)
    if single.size:
        raise DataError(
            f'{train.name}: {train.describe(single.tolist())} have a single image, '
            'which cannot be both fitted and validated on; concatenate an official '
            'validation split (ConcatDataset), or give one value as l2_grid'
        )
    for label in np.unique(train.labels):
        rows = rng.permutation(np.flatnonzero(train.labels == label))
        mask[rows[: min(max(1, round(fraction * len(rows))), len(rows) - 1)]] = True
    return mask


class _Regressions:
    """One multinomial regression, or one binary regression per class."""

    def __init__(
        self, train: FeatureSet, solver: Solver, start: list[np.ndarray] | None = None
    ) -> None:
        x = np.asarray(train.features, np.float64)
        self.solver = solver
        self.num_classes = train.num_classes
        self.problems = [(x, train.labels)]
        self.outputs = self.num_classes
        if train.multi_label:
            known = [labels >= 0 for labels in train.labels.T]
            self.outputs = 2
            self.problems = [
                (x if mask.all() else x[mask], labels[mask].astype(np.int64))
                for mask, labels in zip(known, train.labels.T, strict=True)
            ]
        self.weights: list[np.ndarray] = start or []
        self.unconverged = self.fits = 0

    def fit(self, l2: float) -> None:
        """Fit all, beginning at what was found last."""
        found = []
        for index, (x, y) in enumerate(self.problems):
            start = self.weights[index] if self.weights else None
            weights, converged = self.solver.fit(x, y, self.outputs, l2, start)
            found.append(weights)
            self.unconverged += not converged
            self.fits += 1
        self.weights = found

    def decide(self, features: np.ndarray) -> np.ndarray:
        """Return the decision function (N, C); larger is more likely."""
        weights = np.concatenate(self.weights)
        scores = np.asarray(features, np.float64) @ weights[:, :-1].T + weights[:, -1]
        if self.num_classes == 2 and scores.shape[1] == 1:
            return np.concatenate([-scores, scores], axis=1)
        return scores


def _check_classes(fitted: FeatureSet) -> None:
    if fitted.num_classes < 2 and not fitted.multi_label:
        raise DataError(
            f'{fitted.name}: one class only; a classifier needs at least two'
        )
    missing = fitted.counts == 0
    if fitted.multi_label:
        missing |= (fitted.labels == 0).sum(axis=0) == 0
    if missing.any():
        kind = 'positive or no negative' if fitted.multi_label else ''
        raise DataError(
            f'{fitted.name}: {fitted.describe(np.flatnonzero(missing).tolist())} have '
            f'no {kind}'.rstrip()
            + ' image to fit on beside the validation split; use another split'
        )
