"""How far a difference depends on which images were tested: a paired bootstrap.

Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6: the standard
error is the spread of the statistic over samples of the images, drawn with
replacement. Both runs are scored on the same samples, so that what makes an image
hard for both of them cancels.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from msbreg_mm.evaluation.outcomes import Outcomes
from msbreg_mm.reports.statistics import Difference

SAMPLES = 1000
_LEAST_IMAGES = 10


@dataclass(frozen=True)
class Replicates:
    """A run's metrics on all images, and on samples of them.

    Attributes:
        images: Fingerprint of the images and samples; only equal ones are paired.
        count: Number of images.
        values: Metric → value on all images, then on each sample.
    """

    images: str
    count: int
    values: dict[str, list[float]]


def draw_weights(images: int, samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """Draw how often each image is in each sample.

    Args:
        images: Number of images N.
        samples: Number of samples B.
        seed: Seed; equal ones give equal samples.

    Returns:
        (B + 1, N) float32; the first row is 1 everywhere, each other sums to N.
    """
    rng = np.random.default_rng([seed, *b'bootstrap'])  # a stream of its own
    drawn = rng.multinomial(images, np.full(images, 1 / images), samples)
    return np.concatenate([np.ones((1, images)), drawn]).astype(np.float32)


def replicate(outcomes: Outcomes, samples: int = SAMPLES) -> Replicates:
    """Score a run on samples of its images.

    Args:
        outcomes: What each image contributed.
        samples: Number of samples.
    """
    count = len(outcomes.images)
    values = outcomes.score(draw_weights(count, samples))
    names = '\n'.join(map(str, outcomes.images.tolist()))
    digest = hashlib.sha256(f'{samples}\n{names}'.encode()).hexdigest()
    return Replicates(digest, count, {k: v.tolist() for k, v in values.items()})


def image_difference(
    pairs: Sequence[tuple[Replicates, Replicates]], key: str, scale: float = 1.0
) -> Difference | None:
    """Difference of two rows with its interval over images.

    The runs of all seeds are scored on the same samples and averaged first, so the
    interval is about these runs: it knows nothing of other seeds.

    Args:
        pairs: For each shared seed, the run and the one that it is compared with.
        key: Metric.
        scale: From the logged to the shown value.

    Returns:
        The difference with a normal 95 % interval and its p-value, n the number of
        images; ``None`` if the runs were scored on different images, on fewer than
        ten, or lack the metric.
    """
    usable = [
        np.subtract(a.values[key], b.values[key])
        for a, b in pairs
        if a.images == b.images and key in a.values and key in b.values
    ]
    if not usable or len(usable) < len(pairs) or pairs[0][0].count < _LEAST_IMAGES:
        return None
    found = np.mean(usable, axis=0) * scale
    mean, samples = float(found[0]), found[1:][np.isfinite(found[1:])]
    error = float(samples.std(ddof=1)) if len(samples) > 1 else 0.0
    count = pairs[0][0].count
    if not np.isfinite(mean):
        return None
    if error <= 1e-12:
        return Difference(mean, None, None, None, count)
    reach = float(stats.norm.ppf(0.975)) * error
    p = float(2 * stats.norm.sf(abs(mean) / error))
    return Difference(mean, mean - reach, mean + reach, p, count)
