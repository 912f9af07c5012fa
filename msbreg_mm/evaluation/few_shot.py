"""Few-shot classification of frozen features: n-way k-shot episodes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.utils.errors import DataError, OptionError

CLASSIFIERS = ('centroid', 'logistic')
# Feature values of the episodes that are handled together, 64 MiB of float64.
_CHUNK = 8_000_000


@dataclass(frozen=True)
class FewShotResult:
    """Accuracies over episodes.

    Attributes:
        accuracies: Accuracy of each episode in percent (E,).
    """

    accuracies: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy in percent."""
        return float(self.accuracies.mean())

    @property
    def interval(self) -> float:
        """Half the width of the mean's 95 % confidence interval, in percent.

        1.96 std / sqrt(E) with the standard deviation of the population, as in
        the code of Chen et al. (arXiv 1904.04232).
        """
        return float(1.96 * self.accuracies.std() / len(self.accuracies) ** 0.5)


def draw_episodes(
    features: FeatureSet,
    ways: int,
    images: int,
    episodes: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the images of n-way episodes.

    Each episode has ``ways`` different classes, all equally likely, in random
    order, and ``images`` different images of each.

    Args:
        features: Labelled images, one label each.
        ways: Classes of an episode, at least 2.
        images: Images of a class, at least 1.
        episodes: Number of episodes, at least 1.
        rng: Source of the draw.

    Returns:
        Rows (episodes, ways, images) int64.

    Raises:
        ValueError: If an argument is out of range, images have several labels,
            or there are too few classes or images of a class.
    """
    _check(features, ways, images, episodes)
    counts = features.counts
    chosen = rng.random((episodes, len(counts))).argsort(axis=1)[:, :ways]
    rows = np.empty((episodes, ways, images), np.int64)
    for c in range(len(counts)):
        where = chosen == c
        members = np.flatnonzero(features.labels == c)
        order = rng.random((int(where.sum()), len(members))).argsort(axis=1)
        rows[where] = members[order[:, :images]]
    return rows


def few_shot(
    features: FeatureSet,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    episodes: int = 600,
    *,
    classifier: str = 'centroid',
    normalize: bool = True,
    seed: int = 0,
) -> FewShotResult:
    """Classify queries by a few labelled images, over random episodes.

    Chen et al., "A Closer Look at Few-shot Classification", ICLR 2019, arXiv
    1904.04232: 600 episodes of 5 classes with 1 or 5 labelled images and queries
    each; 15 queries are those of its released code. ``'centroid'`` takes the class
    whose mean labelled feature is nearest (Snell et al., "Prototypical Networks",
    NeurIPS 2017, arXiv 1703.05175, without training); ``'logistic'`` fits
    scikit-learn's logistic regression (C = 1) per episode (Tian et al.,
    "Rethinking Few-Shot Image Classification", ECCV 2020, arXiv 2003.11539).

    Args:
        features: Labelled images, one label each; none was seen in training.
        ways: Classes of an episode, at least 2.
        shots: Labelled images of a class, at least 1.
        queries: Images of a class to classify, at least 1.
        episodes: Number of episodes, at least 1.
        classifier: ``'centroid'`` or ``'logistic'``.
        normalize: Put the features on the unit sphere first (Wang et al.,
            "SimpleShot", arXiv 1911.04623; Tian et al.).
        seed: Seed of the episodes.

    Returns:
        The accuracies, see :class:`FewShotResult`.

    Raises:
        OptionError: If an argument is out of range, images have several labels,
            or there are too few classes or images of a class.
    """
    if shots < 1 or queries < 1:
        raise OptionError(
            f'shots and queries must be at least 1, got {shots} and {queries}'
        )
    if classifier not in CLASSIFIERS:
        raise OptionError(
            f'classifier must be one of {", ".join(CLASSIFIERS)}, got {classifier!r}'
        )
    rng = np.random.default_rng(seed)
    rows = draw_episodes(features, ways, shots + queries, episodes, rng)
    predict = _by_centroid if classifier == 'centroid' else _by_logistic
    truth = np.arange(ways)[:, None]
    accuracies = [
        100 * (predict(x, shots) == truth).mean(axis=(1, 2))
        for x in _gather(features.features, rows, normalize)
    ]
    return FewShotResult(np.concatenate(accuracies))


def _gather(
    features: np.ndarray, rows: np.ndarray, normalize: bool
) -> Iterator[np.ndarray]:
    """Yield the features (e, ways, images, D) of some episodes at a time."""
    size = max(1, _CHUNK // (rows[0].size * features.shape[1]))
    for start in range(0, len(rows), size):
        x = features[rows[start : start + size]].astype(np.float64)
        if normalize:
            length = np.linalg.norm(x, axis=-1, keepdims=True)
            x /= np.where(length > 0, length, 1)
        yield x


def _by_centroid(x: np.ndarray, shots: int) -> np.ndarray:
    """Return the nearest class (e, ways, queries); the first of equals."""
    episodes, ways, _, dimensions = x.shape
    centroid = x[:, :, :shots].mean(axis=2)
    query = x[:, :, shots:].reshape(episodes, -1, dimensions)
    # |q - c|² without |q|², which is the same for all classes.
    distance = (centroid**2).sum(-1)[:, None] - 2 * query @ centroid.swapaxes(1, 2)
    return distance.argmin(axis=-1).reshape(episodes, ways, -1)


def _by_logistic(x: np.ndarray, shots: int) -> np.ndarray:
    """Return the predicted class (e, ways, queries)."""
    episodes, ways, _, dimensions = x.shape
    labels = np.repeat(np.arange(ways), shots)
    support = x[:, :, :shots].reshape(episodes, -1, dimensions)
    query = x[:, :, shots:].reshape(episodes, -1, dimensions)
    predicted = [
        LogisticRegression(max_iter=1000).fit(support[e], labels).predict(query[e])
        for e in range(episodes)
    ]
    return np.stack(predicted).reshape(episodes, ways, -1)


def _check(features: FeatureSet, ways: int, images: int, episodes: int) -> None:
    if features.multi_label:
        raise DataError(
            f'{features.name}: few-shot episodes need one class an image, these have '
            'several; use the SVM probe with shots'
        )
    if ways < 2 or images < 1 or episodes < 1:
        raise DataError(
            'ways must be at least 2, images and episodes at least 1, got '
            f'{ways}, {images} and {episodes}'
        )
    counts = features.counts
    if len(counts) < ways:
        raise DataError(
            f'{features.name}: {ways}-way episodes need {ways} classes, there are '
            f'{len(counts)}'
        )
    if (few := np.flatnonzero(counts < images)).size:
        raise DataError(
            f'{features.name}: {features.describe(few.tolist())} have fewer than '
            f'{images} images, shots and queries of an episode; take fewer queries or '
            'leave the classes out'
        )
