"""Weighted k-nearest-neighbour classification of frozen features."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.evaluation.features import row_chunks
from msbreg_mm.utils.errors import DataError, OptionError

# Columns of a similarity block, in multiples of its rows: wide enough that the
# selection of neighbours is seldom repeated, small enough for 64 MB by default.
_BANK_CHUNKS = 16

Array = Tensor | np.ndarray


@torch.no_grad()
def knn_predict(
    bank: Array,
    bank_labels: Array,
    queries: Array,
    ks: Sequence[int] = (10, 20, 100, 200),
    temperatures: Sequence[float] = (0.07,),
    num_classes: int | None = None,
    chunk_size: int = 1024,
    device: torch.device | str | None = None,
) -> dict[tuple[int, float], Tensor]:
    """Predict classes by weighted votes of the nearest neighbours.

    Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
    Discrimination", CVPR 2018, arXiv 1805.01978, Section 3.4: each of the k
    neighbours votes for its class with ``exp(cosine / T)``. The defaults of
    ``ks`` and ``temperatures`` are those of mmselfsup's kNN benchmark.

    The bank is gone through once, in chunks, and never copied: it may be a memory
    map, or lie on the CPU while ``device`` is a GPU. Beside the queries the memory
    holds their neighbours, Q x max(ks), and one block of similarities, whatever
    the size of the bank.

    Equal similarities at the k-th place go to the lower row of the bank, equal
    votes to the lower class. Votes are added in float64 in the order of the
    neighbours, so a result does not change from run to run.

    Args:
        bank: Features (M, D) of labelled images, a tensor or an array; computed
            in float32, or float64 if one of the two has it.
        bank_labels: Their classes (M,), integers from 0.
        queries: Features (Q, D) to classify.
        ks: Numbers of neighbours, each 1 to M.
        temperatures: Temperatures T of the votes, positive.
        num_classes: Number of classes; by default the largest label plus 1.
        chunk_size: Number of queries handled together; bounds the memory.
        device: Where to compute, by default where the queries are.

    Returns:
        Predicted classes, int64 (Q,), by (k, T), on ``device``.

    Raises:
        ValueError: If shapes do not fit, a k exceeds the bank, a label exceeds
            ``num_classes`` or a feature is not finite.
    """
    queries, bank_labels = _tensor(queries), _tensor(bank_labels)
    _check_shapes(bank, queries)
    num_classes = _check_labels('bank_labels', bank_labels, len(bank), num_classes)
    _check_parameters(ks, temperatures, len(bank), chunk_size)
    dtype = torch.promote_types(_tensor(bank[:1]).dtype, queries.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    queries = queries.to(device, dtype)
    unit = _normalize(queries, 'queries', queries).split(chunk_size)
    bank_labels = bank_labels.to(queries.device, torch.int64)
    nearest = _nearest(bank, unit, max(ks), _BANK_CHUNKS * chunk_size)
    parts: dict[tuple[int, float], list[Tensor]] = {}
    for similarity, rows in nearest:
        for temperature in temperatures:
            # Relative to the nearest, as exp(1 / T) overflows for small T.
            weights = ((similarity - similarity[:, :1]).double() / temperature).exp()
            winners = _vote(weights, bank_labels[rows], set(ks), num_classes)
            for k, predicted in winners.items():
                parts.setdefault((k, temperature), []).append(predicted)
    return {key: torch.cat(part) for key, part in parts.items()}


def _nearest(
    bank: Array, queries: Sequence[Tensor], k: int, chunk_size: int
) -> list[tuple[Tensor, Tensor]]:
    """Return similarities and rows of the k nearest, (q, k), in falling order."""
    best = [
        (
            query.new_empty(len(query), 0),
            torch.empty(len(query), 0, dtype=torch.int64, device=query.device),
        )
        for query in queries
    ]
    for start, part in _bank_chunks(bank, chunk_size):
        # Moved and normalised once for all queries.
        part = _normalize(part.to(queries[0]), 'bank', bank)
        for index, query in enumerate(queries):
            values, rows = best[index]
            found, position = _candidates(query @ part.mT, values, k)
            # Equal similarities stand in the order of the bank: the best so far,
            # all of lower rows, are to the left.
            values = torch.cat([values, found], dim=1)
            rows = torch.cat([rows, position + start], dim=1)
            position = _stable_topk(values, min(k, values.shape[1]))
            best[index] = values.gather(1, position), rows.gather(1, position)
    return best


def _candidates(similarity: Tensor, best: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return those (q, n) that may be among the k nearest and their columns.

    Once k are known, few of a block exceed the worst of them, and picking those is
    several times faster than another ``topk`` of the block. Rows with fewer than the
    most are filled with minus infinity.
    """
    if best.shape[1] == k:
        above = similarity > best[:, -1:]
        # Positions of more would take more memory than the block itself.
        if int(above.count_nonzero()) <= similarity.shape[0] * k:
            row, column = above.nonzero(as_tuple=True)
            counts = row.bincount(minlength=len(similarity))
            place = torch.arange(len(row), device=row.device)
            place -= (counts.cumsum(0) - counts)[row]
            shape = (len(similarity), int(counts.max()))
            values = similarity.new_full(shape, -torch.inf)
            columns = row.new_zeros(shape)
            values[row, place] = similarity[row, column]
            columns[row, place] = column
            return values, columns
    columns = _stable_topk(similarity, min(k, similarity.shape[1]))
    return similarity.gather(1, columns), columns


def _bank_chunks(bank: Array, size: int) -> Iterator[tuple[int, Tensor]]:
    if isinstance(bank, Tensor):
        for start in range(0, len(bank), size):
            yield start, bank[start : start + size]
    else:
        for start, part in row_chunks(bank, size):
            yield start, torch.from_numpy(np.array(part))


def _tensor(array: Array) -> Tensor:
    """Return a tensor, of a copy if the array is a read-only memory map."""
    if isinstance(array, Tensor):
        return array
    return torch.from_numpy(array if array.flags.writeable else np.array(array))


def _normalize(features: Tensor, name: str, whole: Array) -> Tensor:
    """Return unit vectors; ``whole`` is what is counted if one is not finite."""
    if bool(features.norm(dim=1).isfinite().all()):
        return F.normalize(features, dim=1)
    bad = sum(
        int((~part.to(features.dtype).norm(dim=1).isfinite()).sum())
        for _, part in _bank_chunks(whole, _BANK_CHUNKS * 1024)
    )
    raise DataError(
        f'{name}: {bad} of {len(whole)} features hold NaN or infinity; the checkpoint '
        'that made them is broken, or its training diverged'
    )


def _stable_topk(values: Tensor, k: int) -> Tensor:
    """Return the positions of the k largest, ties to the left, in order."""
    top, position = values.topk(min(k + 1, values.shape[1]), dim=1)
    position = position[:, :k]
    # topk may take any of the values that tie for the last place.
    tied = (top[:, k - 1 : k] == top[:, k:]).any(dim=1)
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
    bank: Array,
    bank_labels: Array,
    queries: Array,
    query_labels: Array,
    ks: Sequence[int] = (10, 20, 100, 200),
    temperatures: Sequence[float] = (0.07,),
    num_classes: int | None = None,
    chunk_size: int = 1024,
    device: torch.device | str | None = None,
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
        device: Where to compute, by default where the queries are.

    Returns:
        Accuracy in percent by (k, T).

    Raises:
        ValueError: As :func:`knn_predict`, or if the query labels do not fit.
    """
    query_labels = _tensor(query_labels)
    # Without num_classes a query of a class that the bank lacks is just missed.
    _check_labels('query_labels', query_labels, len(queries), num_classes)
    predictions = knn_predict(
        bank, bank_labels, queries, ks, temperatures, num_classes, chunk_size, device
    )
    return {
        key: float((predicted == query_labels.to(predicted.device)).double().mean())
        * 100
        for key, predicted in predictions.items()
    }


def _check_shapes(bank: Array, queries: Tensor) -> None:
    if bank.ndim != 2 or queries.ndim != 2 or bank.shape[1] != queries.shape[1]:
        raise ValueError(
            'bank and queries must have shapes (M, D) and (Q, D), got '
            f'{tuple(bank.shape)} and {tuple(queries.shape)}'
        )
    for name, features in (('bank', bank), ('queries', queries)):
        if len(features) == 0:
            raise ValueError(f'{name} is empty: kNN needs at least one feature')


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
        raise OptionError(
            f'ks must be numbers from 1 to {bank_size}, the size of the bank, got '
            f'{list(ks)}'
        )
    if not temperatures or min(temperatures) <= 0:
        raise OptionError(f'temperatures must be positive, got {list(temperatures)}')
    if chunk_size < 1:
        raise OptionError(f'chunk_size must be at least 1, got {chunk_size}')
