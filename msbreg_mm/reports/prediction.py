"""How far a cheap measure ranks checkpoints as a fine-tuned metric does."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Of one measure with one metric.

    Attributes:
        tau: Kendall's τ-b.
        low: Lower end of the 95 % percentile interval.
        high: Upper end.
        regret: Metric lost by picking the checkpoint that the measure puts first.
        regret_high: 97.5 % of the samples lose at most this.
        count: Number of checkpoints.
    """

    tau: float
    low: float
    high: float
    regret: float
    regret_high: float
    count: int


def kendall_tau(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Kendall's τ-b of values that are there several times.

    Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.

    Args:
        x: (N,).
        y: (N,).
        weights: How often each is there (N,), non-negative.

    Returns:
        In [-1, 1]; NaN if all of x or all of y are equal.
    """
    pairs = np.outer(weights, weights).astype(float)
    a, b = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    scale = (pairs * a**2).sum() * (pairs * b**2).sum()
    return float((pairs * a * b).sum() / np.sqrt(scale)) if scale > 0 else float('nan')


def agreement(
    measure: Mapping[str, float],
    metric: Mapping[str, list[float]],
    samples: int = SAMPLES,
    seed: int = 0,
) -> Agreement:
    """Compare a measure with a metric over the checkpoints that have both.

    The bootstrap draws checkpoints with replacement and, of each, its seeds.

    Args:
        measure: Checkpoint → value, higher is better.
        metric: Checkpoint → a value for each seed, higher is better.
        samples: Number of samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If fewer than three checkpoints have both.
    """
    names = sorted(measure.keys() & metric.keys())
    if len(names) < 3:
        raise ValueError(f'a ranking needs at least 3 checkpoints, got {len(names)}')
    x = np.array([measure[name] for name in names], float)
    y = np.array([np.mean(metric[name]) for name in names])
    rng = np.random.default_rng([seed, *b'predict'])
    taus, regrets = [], []
    for _ in range(samples):
        weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
        drawn = np.array([rng.choice(metric[name], len(metric[name])).mean()
                          for name in names])  # fmt: skip
        taus.append(kendall_tau(x, drawn, weights))
        regrets.append(_regret(x[weights > 0], drawn[weights > 0]))
    low, high = np.nanpercentile(taus, [2.5, 97.5])
    return Agreement(
        tau=kendall_tau(x, y, np.ones(len(names))),
        low=float(low),
        high=float(high),
        regret=_regret(x, y),
        regret_high=float(np.percentile(regrets, 97.5)),
        count=len(names),
    )


def _regret(x: np.ndarray, y: np.ndarray) -> float:
    return float(y.max() - y[x.argmax()])
