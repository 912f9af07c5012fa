"""Mean, spread, and differences paired over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

# A difference below it is called one.
LEVEL = 0.05


@dataclass(frozen=True)
class Summary:
    """Mean and spread of one metric over seeds.

    Attributes:
        mean: Mean.
        std: Sample standard deviation (divisor n - 1); ``None`` for n = 1.
        n: Number of seeds.
    """

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Mean difference of two checkpoints, paired over the seeds they share.

    Attributes:
        mean: Mean of the differences.
        low: Lower end of the 95 % t-interval; ``None`` for n = 1, and where all
            differences are equal.
        high: Upper end.
        p: Two-sided p-value of the paired t-test; ``None`` for n = 1, and where
            all differences are equal.
        n: Number of shared seeds.
        holm: The p-value corrected for all comparisons of the table; ``None`` where
            it stands alone.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    holm: float | None = None

    @property
    def leaves_out_zero(self) -> bool:
        """Whether the 95 % interval leaves out zero, for this comparison alone."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0

    @property
    def significant(self) -> bool:
        """Whether it does so after the correction too."""
        return self.leaves_out_zero and (self.holm is None or self.holm < LEVEL)


def summarize(values: Sequence[float]) -> Summary:
    """Summarise one metric over seeds.

    Args:
        values: One per seed, at least one.

    Raises:
        ValueError: If there are none.
    """
    if not values:
        raise ValueError('no values to summarise')
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(float(np.mean(values)), std, len(values))


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> Difference | None:
    """Compare a checkpoint with the baseline, seed by seed.

    The same seed gives both runs the same order of images and the same initial
    heads, so that pairing removes what they share.

    Args:
        values: Seed to value.
        baseline: The same of the baseline.

    Returns:
        The difference, or ``None`` if they share no seed.
    """
    seeds = sorted(values.keys() & baseline.keys())
    if not seeds:
        return None
    differences = np.array([values[seed] - baseline[seed] for seed in seeds])
    mean, n = float(differences.mean()), len(seeds)
    if n == 1:
        return Difference(mean, None, None, None, 1)
    error = float(differences.std(ddof=1)) / n**0.5
    if error <= 1e-12:
        # No spread to judge by: values that were rounded, or that no seed changes.
        return Difference(mean, None, None, None, n)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Difference(mean, mean - reach, mean + reach, p, n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian
    Journal of Statistics 6, 1979: the chance of one false difference or more among
    all of them stays below the level, whatever they share.

    Args:
        p_values: One per comparison, in [0, 1].

    Returns:
        Corrected values in the same order, at most 1.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind='stable')
    corrected = np.empty_like(p)
    stepped = p[order] * np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected.tolist()


def mark_after_holm(differences: Sequence[Difference]) -> list[Difference]:
    """Give each difference its p-value corrected for all of them.

    Args:
        differences: Those of one table; they count only if they have a p-value.
    """
    tested = [d.p for d in differences if d.p is not None]
    corrected = iter(holm(tested))
    return [d if d.p is None else replace(d, holm=next(corrected)) for d in differences]
