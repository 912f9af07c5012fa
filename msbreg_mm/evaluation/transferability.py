"""How well a linear model explains labels by frozen features: LogME."""

import numpy as np


def log_evidence(
    features: np.ndarray, target: np.ndarray, steps: int = 100
) -> tuple[float, float, float]:
    """Largest evidence of a Bayesian linear regression, per row.

    You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer
    Learning", ICML 2021, arXiv 2102.11005: weights are normal with precision α, noise
    with precision β; both follow MacKay's fixed point.

    Args:
        features: (N, D).
        target: (N,).
        steps: Most steps of the fixed point.

    Returns:
        Log evidence / N, α and β.
    """
    x, y = np.asarray(features, float), np.asarray(target, float)
    count, size = x.shape
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    squares, z = s**2, u.T @ y
    outside = max(float(y @ y - z @ z), 0.0)  # what no feature can explain

    def fit(alpha: float, beta: float) -> tuple[float, float]:
        """Squared length of the mean weights, and squared error with them."""
        mean = beta * s * z / (alpha + beta * squares)
        return float(mean @ mean), float(((z - s * mean) ** 2).sum()) + outside

    alpha = beta = 1.0
    for _ in range(steps):
        length, rest = fit(alpha, beta)
        gamma = float((beta * squares / (alpha + beta * squares)).sum())
        new = gamma / max(length, 1e-12), (count - gamma) / max(rest, 1e-12)
        done = abs(new[0] / new[1] - alpha / beta) <= 1e-6 * alpha / beta
        alpha, beta = new
        if done:
            break
    length, rest = fit(alpha, beta)
    log_det = float(np.log(alpha + beta * squares).sum())
    log_det += (size - len(s)) * np.log(alpha)
    evidence = (
        count * np.log(beta) + size * np.log(alpha) - count * np.log(2 * np.pi)
        - beta * rest - alpha * length - log_det
    ) / 2  # fmt: skip
    return float(evidence / count), alpha, beta


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """LogME of features for classes: mean of the one-against-rest evidences.

    Args:
        features: (N, D).
        labels: Classes (N,).

    Raises:
        ValueError: If there are fewer than two classes or a feature is not finite.
    """
    classes = np.unique(labels)
    if len(classes) < 2 or not np.isfinite(features).all():
        raise ValueError('LogME needs finite features of at least two classes')
    found = [log_evidence(features, labels == label)[0] for label in classes]
    return float(np.mean(found))
