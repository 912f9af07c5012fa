"""Linear SVMs on frozen features: the VOC07 protocol."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from msbreg_mm.evaluation.features import FeatureSet, check_pair
from msbreg_mm.evaluation.parallel import run_tasks
from msbreg_mm.utils.errors import DataError, OptionError

# VISSL, configs/config/benchmark/linear_image_classification/voc07/
# eval_resnet_8gpu_transfer_voc07_svm.yaml.
VISSL_COSTS = (0.01, 0.1, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0, 1000.0)
# VISSL, vissl/config/defaults.yaml.
VISSL_FOLDS = 3
VISSL_MAX_ITER = 2000
# Feature values read by all fits from which processes pay: below, one process
# takes no longer than others take to start.
PARALLEL_FROM = 100_000_000


@dataclass(frozen=True)
class SVMResult:
    """One-vs-rest SVMs of C classes.

    Attributes:
        ap: Average precision of each class in percent (C,), scikit-learn's.
        interpolated_ap: The same as VISSL computes it, see
            :func:`average_precision`.
        costs: Chosen cost of each class (C,).
        cross_validation: Mean average precision over the folds, as a fraction
            (C, number of costs).
        unconverged: Fits that stopped at the limit of iterations.
    """

    ap: np.ndarray
    interpolated_ap: np.ndarray
    costs: np.ndarray
    cross_validation: np.ndarray
    unconverged: int


def average_precision(
    labels: np.ndarray, scores: np.ndarray, interpolated: bool = False
) -> float:
    """Average precision of one class, without ignored images.

    Args:
        labels: (N,), 1 positive, 0 negative, -1 ignored.
        scores: (N,), larger is more likely positive.
        interpolated: ``False`` is scikit-learn's ``average_precision_score``, a
            sum over the precision-recall curve as it is. ``True`` first replaces
            each precision by the largest at the same or a higher recall, as the
            VOC devkit has done since 2010 and VISSL's ``get_precision_recall``
            does: never smaller, and what published VOC07 SVM rows use.

    Returns:
        Fraction in [0, 1].

    Raises:
        ValueError: If no image is positive.
    """
    kept = labels >= 0
    positive = labels[kept] == 1
    if not positive.any():
        raise ValueError('average precision needs at least one positive image, got 0')
    if not interpolated:
        return float(average_precision_score(positive, scores[kept]))
    precision, recall, _ = precision_recall_curve(positive, scores[kept])
    # Recall falls from 1 to 0, so the running maximum looks at higher recalls.
    envelope = np.maximum.accumulate(precision)
    return float(-np.sum(np.diff(recall) * envelope[:-1]))


def svm_classify(
    train: FeatureSet,
    test: FeatureSet,
    costs: Sequence[float] = VISSL_COSTS,
    *,
    folds: int = VISSL_FOLDS,
    max_iter: int = VISSL_MAX_ITER,
    exclude_ignored: bool = False,
    seed: int = 0,
    jobs: int | None = None,
) -> SVMResult:
    """Fit one linear SVM per class and score it by average precision.

    Goyal et al., "Scaling and Benchmarking Self-Supervised Visual Representation
    Learning", ICCV 2019, arXiv 1905.01235, as VISSL's ``SVMTrainer`` does it:
    L2-normalised features, squared hinge loss, L2 penalty, the dual problem,
    positives weighted 2 to 1; the cost of each class maximises the mean average
    precision of a stratified cross-validation on ``train``. Sets with one label an
    image are taken one class against the rest.

    Args:
        train: What the SVMs are fitted on.
        test: What they are scored on; ignored images of a class are left out.
        costs: Costs to choose from, positive; VISSL's for ResNets.
        folds: Folds of the cross-validation, at least 2; VISSL's.
        max_iter: Limit of iterations of a fit, at least 1; VISSL's.
        exclude_ignored: Leave ignored images out of the fit, too. VISSL fits on
            them as negatives, and so were published numbers made: the default.
        seed: Seed of the solver's random order, which VISSL leaves open.
        jobs: Processes; by default all usable cores where it pays.

    Returns:
        The result, see :class:`SVMResult`.

    Raises:
        OptionError: If the sets do not fit each other, an argument is out of
            range, a class has fewer positive or negative images than folds in
            ``train``, or no positive one in ``test``.
    """
    check_sets(train, test, costs, max_iter)
    if folds < 2:
        raise OptionError(f'folds must be at least 2, got {folds}')
    labels, test_labels = one_vs_rest(train), one_vs_rest(test)
    usable = labels >= 0 if exclude_ignored else np.ones(labels.shape, bool)
    check_counts(train, labels == 1, folds, f'positive images for {folds} folds')
    negative = usable & (labels != 1)
    check_counts(train, negative, folds, f'negative images for {folds} folds')
    x, test_x = normalize(train.features), normalize(test.features)
    solver = (max_iter, seed)
    tasks = [
        (x, labels[:, c], usable[:, c], test_x, test_labels[:, c], costs, folds, solver)
        for c in range(labels.shape[1])
    ]
    pays = x.size * len(costs) * folds * len(tasks) > PARALLEL_FROM
    results = run_tasks(_classify, tasks, 'SVM', jobs, pays=pays)
    aps, chosen, matrix, unconverged = zip(*results, strict=True)
    ap, interpolated = 100 * np.array(aps).T
    return SVMResult(
        ap, interpolated, np.array(chosen), np.array(matrix), sum(unconverged)
    )


def _classify(
    x: np.ndarray,
    labels: np.ndarray,
    usable: np.ndarray,
    test_x: np.ndarray,
    test_labels: np.ndarray,
    costs: Sequence[float],
    folds: int,
    solver: tuple[int, int],
) -> tuple[tuple[float, float], float, list[float], int]:
    """Choose the cost of one class, fit, and score."""
    x, targets = x[usable], labels[usable] == 1
    with count_unconverged() as unconverged:
        means = [
            float(
                cross_val_score(
                    linear_svm(cost, solver),
                    x,
                    targets,
                    cv=folds,
                    scoring='average_precision',
                ).mean()
            )
            for cost in costs
        ]
        cost = costs[int(np.argmax(means))]
        scores = linear_svm(cost, solver).fit(x, targets).decision_function(test_x)
    return both_aps(test_labels, scores), cost, means, len(unconverged)


def linear_svm(cost: float, solver: tuple[int, int]) -> LinearSVC:
    """Return the protocol's SVM; ``solver`` is the limit of iterations and a seed."""
    return LinearSVC(
        C=cost,
        loss='squared_hinge',
        penalty='l2',
        dual=True,
        class_weight={True: 2, False: 1},
        tol=1e-4,
        max_iter=solver[0],
        random_state=solver[1],
    )


def both_aps(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the plain and the interpolated :func:`average_precision`."""
    return (
        average_precision(labels, scores),
        average_precision(labels, scores, interpolated=True),
    )


@contextmanager
def count_unconverged() -> Iterator[list[str]]:
    """Collect scikit-learn's warnings of fits that did not converge.

    Yields:
        A list that holds their messages at the end of the block.
    """
    unconverged: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always', ConvergenceWarning)
        yield unconverged
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            unconverged.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def one_vs_rest(features: FeatureSet) -> np.ndarray:
    """Return labels (N, C) int8: 1 positive, 0 negative, -1 ignored."""
    if features.multi_label:
        return features.labels
    columns = np.arange(features.num_classes)
    return (features.labels[:, None] == columns).astype(np.int8)


def normalize(features: np.ndarray) -> np.ndarray:
    """Scale rows to unit length with VISSL's epsilon, in float64."""
    x = np.asarray(features, np.float64)
    return x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-5)


def check_sets(
    train: FeatureSet, test: FeatureSet, costs: Sequence[float], max_iter: int
) -> None:
    """Raise ValueError if SVMs of one set cannot be scored on the other."""
    check_pair(train, test)
    if not costs or min(costs) <= 0:
        raise DataError(f'costs must be positive, got {list(costs)}')
    if max_iter < 1:
        raise DataError(f'max_iter must be at least 1, got {max_iter}')
    check_counts(test, one_vs_rest(test) == 1, 1, 'positive images to score')


def check_counts(features: FeatureSet, mask: np.ndarray, least: int, what: str) -> None:
    """Raise ValueError naming the classes with fewer than ``least`` marked images."""
    counts = mask.sum(axis=0)
    if (few := np.flatnonzero(counts < least)).size:
        raise DataError(
            f'{features.name}: {features.describe(few.tolist())} have too few {what}: '
            f'at least {least} are needed, the fewest are {counts.min()}'
        )
