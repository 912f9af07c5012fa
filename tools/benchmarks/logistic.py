"""Time a path of logistic regressions and how near each solver gets to the minimum.

Features have a power-law spectrum, as those of networks do; every fit starts where the
last one, of a stronger penalty, ended. Excess is the objective (mean over images) above
the lowest that any solver found.
"""

import argparse
from typing import Any

import numpy as np
import timing
import torch

from msbreg_mm.evaluation.logistic_solvers import SklearnSolver, Solver, TorchSolver

L2 = (1e2, 1e0, 1e-2, 1e-4, 1e-6)


def data(images: int, dim: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Make correlated features of classes that overlap."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % classes
    latent = rng.normal(size=(images, dim)) + rng.normal(size=(classes, dim))[labels]
    scale = np.arange(1, dim + 1) ** -1.0
    mixing, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    return 0.3 + latent * scale @ mixing, labels


def objective(x: np.ndarray, y: np.ndarray, weights: np.ndarray, l2: float) -> float:
    """Return the mean cross-entropy with the penalty."""
    logits = torch.from_numpy(x @ weights[:, :-1].T + weights[:, -1])
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
    return float(loss) + l2 / 2 / len(x) * float(np.square(weights[:, :-1]).sum())


def path(solver: Solver, x: np.ndarray, y: np.ndarray, classes: int) -> list[dict]:
    """Fit all penalties; seconds, objective and convergence of each."""
    rows, weights = [], None
    for l2 in L2:
        found: list[Any] = []
        spent = timing.seconds(
            lambda: found.append(solver.fit(x, y, classes, l2, weights)), 'cpu'  # noqa: B023
        )  # fmt: skip
        weights, converged = found[0]
        value = objective(x, y, weights, l2)
        rows.append({'seconds': spent, 'objective': value, 'converged': converged})
    return rows


def report(args: argparse.Namespace) -> None:
    """Run all solvers and print the table."""
    x, y = data(args.images, args.dim, args.classes)
    solvers: dict[str, Solver] = {
        'torch': TorchSolver(args.device),
        'scikit-learn': SklearnSolver(),
        'scikit-learn, tol 1e-6': SklearnSolver(max_iter=5000, tol=1e-6),
    }
    paths = {name: path(s, x, y, args.classes) for name, s in solvers.items()}
    rows = []
    for index, l2 in enumerate(L2):
        lowest = min(found[index]['objective'] for found in paths.values())
        for name, found in paths.items():
            rows.append(
                {
                    'l2': f'{l2:g}',
                    'solver': name,
                    'seconds': found[index]['seconds'],
                    'excess': f'{found[index]["objective"] - lowest:.1e}',
                    'converged': found[index]['converged'],
                }
            )
    title = f'{args.images:,} x {args.dim} features, {args.classes} classes'
    timing.report(title, rows, args)


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=1)
    parser.add_argument('--images', type=int, default=4000)
    parser.add_argument('--dim', type=int, default=256)
    parser.add_argument('--classes', type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report(args)


if __name__ == '__main__':
    main()
