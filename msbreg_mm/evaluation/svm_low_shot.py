"""Linear SVMs on few labelled images: the low-shot half of the VOC07 protocol."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.parallel import run_tasks
from msbreg_mm.evaluation.svm import (
    PARALLEL_FROM,
    VISSL_COSTS,
    VISSL_MAX_ITER,
    both_aps,
    check_counts,
    check_sets,
    count_unconverged,
    linear_svm,
    normalize,
    one_vs_rest,
)
from msbreg_mm.utils.errors import OptionError

# VISSL, vissl/config/defaults.yaml: k_values and sample_inds.
LOW_SHOTS = (1, 2, 4, 8, 16, 32, 64, 96)
LOW_SHOT_SAMPLES = 5


@dataclass(frozen=True)
class LowShotResult:
    """SVMs fitted on k positive images a class.

    Attributes:
        k: Number of positive images.
        maps: Mean average precision in percent (samples, number of costs),
            scikit-learn's.
        interpolated_maps: The same as VISSL computes it.
        unconverged: Fits that stopped at the limit of iterations.
    """

    k: int
    maps: np.ndarray
    interpolated_maps: np.ndarray
    unconverged: int

    def best(self, interpolated: bool = False) -> tuple[float, float]:
        """Return mean and standard deviation over the samples at the best cost.

        As in VISSL the cost is the one of the best mean *on the test set*, and the
        standard deviation that of the population.
        """
        maps = self.interpolated_maps if interpolated else self.maps
        column = maps[:, int(maps.mean(axis=0).argmax())]
        return float(column.mean()), float(column.std())


def low_shot_labels(train: FeatureSet, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a low-shot training set as Goyal et al. do.

    Of each class, independently, k positive images and (C - 1) k negative ones
    without replacement; so an image may count for one class and not for another.

    Args:
        train: What is drawn from.
        k: Number of positive images, at least 1.
        rng: Source of the draw.

    Returns:
        (N, C) int8: the label where one was drawn, -1 elsewhere.

    Raises:
        OptionError: If ``k`` is below 1 or a class has too few images.
    """
    if k < 1:
        raise OptionError(f'k must be at least 1, got {k}')
    labels = one_vs_rest(train)
    negatives = (labels.shape[1] - 1) * k
    check_counts(train, labels == 1, k, f'positive images for k={k}')
    check_counts(train, labels == 0, negatives, f'negative images for k={k}')
    drawn = np.full(labels.shape, -1, np.int8)
    for c in range(labels.shape[1]):
        for value, count in ((1, k), (0, negatives)):
            rows = np.flatnonzero(labels[:, c] == value)
            drawn[rng.choice(rows, count, replace=False), c] = value
    return drawn


def svm_low_shot(
    train: FeatureSet,
    test: FeatureSet,
    shots: Sequence[int] = LOW_SHOTS,
    costs: Sequence[float] = VISSL_COSTS,
    *,
    samples: int = LOW_SHOT_SAMPLES,
    max_iter: int = VISSL_MAX_ITER,
    seed: int = 0,
    jobs: int | None = None,
) -> list[LowShotResult]:
    """Fit SVMs on k positive images a class, for several independent samples.

    The low-shot half of :func:`msbreg_mm.evaluation.svm.svm_classify` (arXiv
    1905.01235), as VISSL's ``SVMLowShotTrainer``: the same SVMs at every cost, no
    cross-validation, and ignored images are never drawn. What is drawn depends on
    ``seed``, k and the number of the sample only.

    Args:
        train: What is drawn from.
        test: What the SVMs are scored on; ignored images are left out.
        shots: Numbers k of positive images; the protocol's.
        costs: Costs, positive; VISSL's for ResNets.
        samples: Independent samples, at least 1; the protocol's five.
        max_iter: Limit of iterations of a fit, at least 1; VISSL's.
        seed: Seed of the samples and of the solver's order.
        jobs: Processes; by default all usable cores where it pays.

    Returns:
        One result per k, see :class:`LowShotResult`.

    Raises:
        OptionError: If the sets do not fit each other, an argument is out of range
            or a class has too few images.
    """
    check_sets(train, test, costs, max_iter)
    if not shots or samples < 1:
        raise OptionError(
            f'shots must not be empty and samples at least 1, got {list(shots)} and '
            f'{samples}'
        )
    x, test_x = normalize(train.features), normalize(test.features)
    test_labels = one_vs_rest(test)
    tasks = []
    for k in shots:
        for sample in range(samples):
            rng = np.random.default_rng([seed, k, sample])
            drawn = low_shot_labels(train, k, rng)
            for c in range(drawn.shape[1]):
                rows = np.flatnonzero(drawn[:, c] >= 0)
                positive = drawn[rows, c] == 1
                scored = (test_x, test_labels[:, c])
                tasks.append((x, rows, positive, *scored, costs, (max_iter, seed)))
    read = sum(len(task[1]) for task in tasks) * x.shape[1] * len(costs)
    results = run_tasks(_fit, tasks, 'low-shot SVM', jobs, pays=read > PARALLEL_FROM)
    shape = (len(shots), samples, test_labels.shape[1])
    aps = np.array([ap for ap, _ in results]).reshape(*shape, len(costs), 2)
    maps = 100 * aps.mean(axis=2)
    unconverged = np.array([count for _, count in results]).reshape(shape)
    return [
        LowShotResult(k, maps[i, ..., 0], maps[i, ..., 1], int(unconverged[i].sum()))
        for i, k in enumerate(shots)
    ]


def _fit(
    x: np.ndarray,
    rows: np.ndarray,
    positive: np.ndarray,
    test_x: np.ndarray,
    test_labels: np.ndarray,
    costs: Sequence[float],
    solver: tuple[int, int],
) -> tuple[list[tuple[float, float]], int]:
    """Fit one class at every cost and score."""
    drawn = x[rows]
    with count_unconverged() as unconverged:
        aps = [
            both_aps(
                test_labels,
                linear_svm(cost, solver).fit(drawn, positive).decision_function(test_x),
            )
            for cost in costs
        ]
    return aps, len(unconverged)
