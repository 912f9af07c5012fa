"""Weighted k-nearest-neighbour classification of frozen features."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Columns of a similarity block, in multiples of its rows: wide enough that the
# selection of neighbours is seldom repeated, small enough for 32 MB by default.
_BANK_CHUNKS = 8


@torch.no_grad()
def knn_predict(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    ks: Sequence[int] = (10, 20, 100, 200),
    temperatures: Sequence[float] = (0.07,),
    num_classes: int | None = None,
    chunk_size: int = 1024,
) -> dict[tuple[int, float], Tensor]:
    """Predict classes by weighted votes of the nearest neighbours.

    Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
    Discrimination", CVPR 2018, arXiv 1805.01978, Section 3.4: each of the k
    neighbours votes for its class with ``exp(cosine / T)``. The defaults of
    ``ks`` and ``temperatures`` are those of mmselfsup's kNN benchmark.

    Equal similarities at the k-th place go to the lower row of the bank, equal
    votes to the lower class. Votes are added in float64 in the order of the
    neighbours, so a result does not change from run to run.

    Args:
        bank: Features (M, D) of labelled images, in float32 or float64.
        bank_labels: Their classes (M,), integers from 0.
        queries: Features (Q, D) to classify.
        ks: Numbers of neighbours, each 1 to M.
        temperatures: Temperatures T of the votes, positive.
        num_classes: Number of classes; by default the largest label plus 1.
        chunk_size: Number of queries handled together; bounds the memory.

    Returns:
        Predicted classes, int64 (Q,), by (k, T).

    Raises:
        ValueError: If shapes do not fit, a k exceeds the bank, a label exceeds
            ``num_classes`` or a feature is not finite.
    """
    bank, queries = _check_features(bank, queries)
    num_classes = _check_labels('bank_labels', bank_labels, len(bank), num_classes)
    _check_parameters(ks, temperatures, len(bank), chunk_size)
    bank = F.normalize(bank, dim=-1)
    bank_labels = bank_labels.to(bank.device, torch.int64)
    parts: dict[tuple[int, float], list[Tensor]] = {}
    for query in F.normalize(queries, dim=-1).split(chunk_size):
        similarity, rows = _nearest(bank, query, max(ks), _BANK_CHUNKS * chunk_size)
        for temperature in temperatures:
            # Relative to the nearest, as exp(1 / T) overflows for small T.
            weights = ((similarity - similarity[:, :1]).double() / temperature).exp()
            winners = _vote(weights, bank_labels[rows], set(ks), num_classes)
            for k, predicted in winners.items():
                parts.setdefault((k, temperature), []).append(predicted)
    return {key: torch.cat(part) for key, part in parts.items()}


def _nearest(
    bank: Tensor, query: Tensor, k: int, chunk_size: int
) -> tuple[Tensor, Tensor]:
    """Return similarities and rows of the k nearest, (q, k), in falling order."""
    best = query.new_empty(len(query), 0)
    rows = torch.empty(len(query), 0, dtype=torch.int64, device=query.device)
    start = 0
    for part in bank.split(chunk_size):
        new = torch.arange(start, start + len(part), device=query.device)
        # Equal similarities stand in the order of the bank: the best so far, all
        # of lower rows, are to the left.
        candidates = torch.cat([best, query @ part.mT], dim=1)
        candidate_rows = torch.cat([rows, new.expand(len(query), -1)], dim=1)
        position = _stable_topk(candidates, min(k, candidates.shape[1]))
        best = candidates.gather(1, position)
        rows = candidate_rows.gather(1, position)
        start += len(part)
    return best, rows


def _stable_topk(values: Tensor, k: int) -> Tensor:
    """Return the positions of the k largest, ties to the left, in order."""
    top, position = values.topk(k, dim=1)
    # topk may take any of the values that tie for the last place.
    tied = (values >= top[:, -1:]).sum(dim=1) > k
    if bool(tied.any()):
        order = values[tied].argsort(dim=1, descending=True, stable=True)
        position[tied] = order[:, :k]
    position = position.sort(dim=1).values
    order = values.gather(1, position).argsort(dim=1, descending=True, stable=True)
    return position.gather(1, order)


def _vote(
    weights: Tensor, classes: Tensor, ks: set[int], num_classes: int
) -> dict[int, Tensor]:
    """Return the winning class of the first k votes of each row, for all ks."""
    votes = weights.new_zeros(len(weights), num_classes)
    winners = {}
    for neighbor in range(max(ks)):
        column = slice(neighbor, neighbor + 1)
        votes.scatter_add_(1, classes[:, column], weights[:, column])
        if neighbor + 1 in ks:
            winners[neighbor + 1] = votes.argmax(dim=1)  # the first of equals
    return winners


def knn_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    ks: Sequence[int] = (10, 20, 100, 200),
    temperatures: Sequence[float] = (0.07,),
    num_classes: int | None = None,
    chunk_size: int = 1024,
) -> dict[tuple[int, float], float]:
    """Top-1 accuracy of the weighted kNN classifier, see :func:`knn_predict`.

    Args:
        bank: Features (M, D) of labelled images.
        bank_labels: Their classes (M,), integers from 0.
        queries: Features (Q, D) to classify.
        query_labels: Their true classes (Q,).
        ks: Numbers of neighbours, each 1 to M.
        temperatures: Temperatures of the votes, positive.
        num_classes: Number of classes; by default the largest label plus 1.
        chunk_size: Number of queries handled together; bounds the memory.

    Returns:
        Accuracy in percent by (k, T).

    Raises:
        ValueError: As :func:`knn_predict`, or if the query labels do not fit.
    """
    # Without num_classes a query of a class that the bank lacks is just missed.
    _check_labels('query_labels', query_labels, len(queries), num_classes)
    predictions = knn_predict(
        bank, bank_labels, queries, ks, temperatures, num_classes, chunk_size
    )
    return {
        key: float((predicted == query_labels.to(predicted.device)).double().mean())
        * 100
        for key, predicted in predictions.items()
    }


def _check_features(bank: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    if bank.dim() != 2 or queries.dim() != 2 or bank.shape[1] != queries.shape[1]:
        raise ValueError(
            'bank and queries must have shapes (M, D) and (Q, D), got '
            f'{tuple(bank.shape)} and {tuple(queries.shape)}'
        )
    dtype = torch.promote_types(bank.dtype, queries.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    bank, queries = bank.to(dtype), queries.to(bank.device, dtype)
    for name, features in (('bank', bank), ('queries', queries)):
        if len(features) == 0:
            raise ValueError(f'{name} is empty: kNN needs at least one feature')
        # Norms need no temporary of the bank's size.
        bad = int((~features.norm(dim=1).isfinite()).sum())
        if bad:
            raise ValueError(
                f'{name}: {bad} of {len(features)} features hold NaN or infinity; '
                'the checkpoint that made them is broken, or its training diverged'
            )
    return bank, queries


def _check_labels(
    name: str, labels: Tensor, count: int, num_classes: int | None
) -> int:
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(
            f'{name} must be integers of shape ({count},), one per feature, got '
            f'{labels.dtype} {tuple(labels.shape)}'
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (num_classes is not None and high >= num_classes):
        raise ValueError(
            f'{name} must be in [0, num_classes), got {low} to {high} for '
            f'num_classes={num_classes}'
        )
    return high + 1 if num_classes is None else num_classes


def _check_parameters(
    ks: Sequence[int], temperatures: Sequence[float], bank_size: int, chunk_size: int
) -> None:
    if not ks or min(ks) < 1 or max(ks) > bank_size:
        raise ValueError(
            f'ks must be numbers from 1 to {bank_size}, the size of the bank, got '
            f'{list(ks)}'
        )
    if not temperatures or min(temperatures) <= 0:
        raise ValueError(f'temperatures must be positive, got {list(temperatures)}')
    if chunk_size < 1:
        raise ValueError(f'chunk_size must be at least 1, got {chunk_size}')
