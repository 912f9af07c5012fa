"""Two solvers of a logistic regression: scikit-learn's, and a faster one in torch."""

import warnings
from typing import Protocol

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F


class Solver(Protocol):
    """Minimises the logistic loss, summed over images, + l2 / 2 · ‖W‖²."""

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        num_classes: int,
        l2: float,
        start: np.ndarray | None = None,
    ) -> tuple[np.ndarray, bool]:
        """Fit all classes together, two of them with one logistic function.

        Args:
            x: Features (N, D) float64.
            y: Classes (N,), each from 0 to ``num_classes`` - 1 at least once.
            num_classes: Number of classes, at least 2.
            l2: Weight of the penalty, positive; the bias is not penalised.
            start: Where to begin, of the shape that is returned; ``None`` for
                zeros.

        Returns:
            Weights and bias (C, D + 1), (1, D + 1) for two classes, and whether
            the fit converged.
        """


class SklearnSolver:
    """:class:`sklearn.linear_model.LogisticRegression` with L-BFGS.

    Args:
        max_iter: Limit of iterations.
        tol: Largest gradient of the mean loss at which it stops.
    """

    def __init__(self, max_iter: int = 1000, tol: float = 1e-4) -> None:
        self.max_iter = max_iter
        self.tol = tol

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        num_classes: int,
        l2: float,
        start: np.ndarray | None = None,
    ) -> tuple[np.ndarray, bool]:
        """Fit, see :class:`Solver`."""
        model = LogisticRegression(
            C=1 / l2, max_iter=self.max_iter, tol=self.tol, warm_start=True
        )
        if start is not None:
            model.classes_ = np.arange(num_classes)
            model.coef_, model.intercept_ = start[:, :-1].copy(), start[:, -1].copy()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always', ConvergenceWarning)
            model.fit(x, y)
        failed = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
        for other in caught:
            if other not in failed:
                warnings.warn_explicit(
                    other.message, other.category, other.filename, other.lineno
                )
        weights = np.concatenate([model.coef_, model.intercept_[:, None]], axis=1)
        return weights, not failed


class TorchSolver:
    """SciPy's L-BFGS-B in well-conditioned coordinates, with the loss in torch.

    Features of networks are strongly correlated: in their coordinates L-BFGS takes
    thousands of steps, or stops far from the minimum. Here they are centred and
    rotated to the eigenvectors of their covariance, and every weight is scaled by
    the curvature of the objective at zero weights, ``(s / C + l2 / N) ** -0.5``
    for variance s along the eigenvector (1/4 in place of 1/C for two classes).
    Neither changes the objective: the bias is not penalised, and a rotation keeps
    the norm of the weights.

    Args:
        device: Where the features lie and the loss is computed, in float64.
        max_iter: Limit of iterations.
        tol: Largest gradient in these coordinates at which it stops; its square
            is about how far a weight's share of the mean loss is from the minimum.
    """

    def __init__(
        self,
        device: torch.device | str = 'cpu',
        max_iter: int = 1000,
        tol: float = 1e-6,
    ) -> None:
        self.device = torch.device(device)
        self.max_iter = max_iter
        self.tol = tol
        self._held: tuple[np.ndarray, _Rotated] | None = None

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        num_classes: int,
        l2: float,
        start: np.ndarray | None = None,
    ) -> tuple[np.ndarray, bool]:
        """Fit, see :class:`Solver`."""
        if self._held is None or self._held[0] is not x:
            self._held = x, _Rotated(x, self.device)  # the same for all penalties
        data = self._held[1]
        loss, rows = (_binary, 1) if num_classes == 2 else (_multinomial, num_classes)
        target, penalty = torch.from_numpy(y).to(self.device), l2 / len(x)
        curvature = 0.25 if num_classes == 2 else 1 / num_classes
        scale = (data.variance * curvature + penalty).rsqrt()
        scale = F.pad(scale, (0, 1), value=curvature**-0.5)

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = torch.from_numpy(flat).to(self.device).view(rows, -1) * scale
            value, grad = loss(data.features, target, weights)
            value = value + penalty / 2 * weights[:, :-1].square().sum()
            grad[:, :-1] += penalty * weights[:, :-1]
            return float(value), (grad * scale).cpu().numpy().ravel()

        begin = torch.zeros(rows, x.shape[1] + 1, dtype=scale.dtype, device=self.device)
        if start is not None:
            begin = data.rotate(torch.from_numpy(start).to(self.device)) / scale
        options = {'maxiter': self.max_iter, 'maxls': 50, 'gtol': self.tol, 'ftol': 0}
        result = minimize(
            objective,
            begin.cpu().numpy().ravel(),
            jac=True,
            method='L-BFGS-B',
            options=options,
        )
        found = torch.from_numpy(result.x).to(self.device).view(rows, -1) * scale
        # Near the minimum rounding may hide any descent; SciPy calls that a failure.
        converged = result.status == 0 or np.abs(result.jac).max() < 10 * self.tol
        return data.rotate_back(found).cpu().numpy(), bool(converged)


class _Rotated:
    """Centred features in the eigenvectors of their covariance."""

    def __init__(self, x: np.ndarray, device: torch.device) -> None:
        features = torch.from_numpy(x).to(device)
        self.mean = features.mean(dim=0)
        features = features - self.mean
        variance, self.basis = torch.linalg.eigh(features.mT @ features / len(x))
        self.variance = variance.clamp_min(0)
        self.features = features @ self.basis

    def rotate(self, weights: Tensor) -> Tensor:
        """Express weights and bias (C, D + 1) in these coordinates."""
        bias = weights[:, -1:] + (weights[:, :-1] @ self.mean)[:, None]
        return torch.cat([weights[:, :-1] @ self.basis, bias], dim=1)

    def rotate_back(self, weights: Tensor) -> Tensor:
        """Express weights and bias in the coordinates of the features."""
        plain = weights[:, :-1] @ self.basis.mT
        return torch.cat([plain, weights[:, -1:] - (plain @ self.mean)[:, None]], dim=1)


def _multinomial(x: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy and its gradient (C, D + 1)."""
    logits = torch.addmm(weights[:, -1], x, weights[:, :-1].mT)
    log_prob = logits.log_softmax(dim=1)
    value = F.nll_loss(log_prob, y)
    error = log_prob.exp_()
    error[torch.arange(len(y), device=y.device), y] -= 1
    return value, _gradient(x, error)


def _binary(x: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean binary cross-entropy and its gradient (1, D + 1)."""
    logits = torch.addmm(weights[:, -1], x, weights[:, :-1].mT)
    target = y.to(x.dtype)[:, None]
    value = F.binary_cross_entropy_with_logits(logits, target)
    return value, _gradient(x, logits.sigmoid() - target)


def _gradient(x: Tensor, error: Tensor) -> Tensor:
    error = error / len(x)
    return torch.cat([error.mT @ x, error.sum(dim=0)[:, None]], dim=1)
