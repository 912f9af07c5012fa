"""Geometry of embeddings: spectrum, effective rank, uniformity, alignment.

All functions take embeddings as given (normalise before, where the measure is
meant for unit vectors), compute in float64, build no graph and return numbers
or tensors on the device of the input.
"""

import torch
from torch import Tensor

# Rows of a pairwise distance block; keeps uniformity's memory at 512 x N.
_BLOCK = 512


def singular_values(embeddings: Tensor) -> Tensor:
    """Singular values of the embedding matrix, descending.

    They are taken from the smaller of ZᵀZ and ZZᵀ in float64, which is much
    faster than an SVD and resolves values down to about 1e-7 of the largest,
    the precision of float32 embeddings.

    Args:
        embeddings: Matrix (N, D), not centred here.

    Returns:
        float64 tensor (min(N, D),).

    Raises:
        ValueError: If the shape is wrong or a value is not finite.
    """
    z = _check(embeddings, 2)
    gram = z.mT @ z if z.shape[0] >= z.shape[1] else z @ z.mT
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(0)


def spectrum_measures(spectrum: Tensor) -> dict[str, float]:
    """Measures of how evenly the singular values are distributed.

    Args:
        spectrum: Singular values σ of (N, D), see :func:`singular_values`.

    Returns:
        - ``effective_rank``: exponential of the entropy of σ / Σσ (Roy & Vetterli,
          "The effective rank", EUSIPCO 2007; RankMe, Garrido et al., ICML 2023,
          arXiv 2210.02885, without its epsilon), in [1, min(N, D)];
        - ``largest_share``: max σ / Σσ, in [1 / min(N, D), 1];
        - ``participation_ratio``: (Σσ²)² / Σσ⁴, in [1, min(N, D)]; for unit
          vectors D / (S + 1) with the raw singular value loss S.

        Where all values are 0: 0, 1 and 0, which is worse than any collapse.
    """
    if not bool(spectrum.any()):
        return {'effective_rank': 0.0, 'largest_share': 1.0, 'participation_ratio': 0.0}
    share = spectrum / spectrum.sum()
    return {
        'effective_rank': float(torch.special.entr(share).sum().exp()),
        'largest_share': float(share.max()),
        'participation_ratio': float(
            share.square().sum().square() / share.pow(4).sum()
        ),
    }


def effective_rank(embeddings: Tensor) -> float:
    """Effective rank of embeddings (N, D), see :func:`spectrum_measures`."""
    return spectrum_measures(singular_values(embeddings))['effective_rank']


def largest_share(embeddings: Tensor) -> float:
    """Largest singular value's share, see :func:`spectrum_measures`."""
    return spectrum_measures(singular_values(embeddings))['largest_share']


def participation_ratio(embeddings: Tensor) -> float:
    """Participation ratio of embeddings (N, D), see :func:`spectrum_measures`."""
    return spectrum_measures(singular_values(embeddings))['participation_ratio']


def uniformity(embeddings: Tensor, t: float = 2.0) -> float:
    """Log of the mean Gaussian potential over all pairs of different images.

    Wang & Isola, "Understanding Contrastive Representation Learning through
    Alignment and Uniformity on the Hypersphere", ICML 2020, arXiv 2005.10242,
    Section 4.1.2: ``log mean_{i<j} exp(-t |z_i - z_j|²)``.

    Args:
        embeddings: Unit vectors (N, D), N at least 2.
        t: Inverse width of the potential, positive.

    Returns:
        Value of at most 0; 0 if all embeddings are one point. Lower is more
        uniform.

    Raises:
        ValueError: If the shape is wrong, N < 2 or a value is not finite.
    """
    z = _check(embeddings, 2)
    if len(z) < 2:
        raise ValueError(
            f'uniformity compares images and needs at least 2, got {len(z)}'
        )
    total = z.new_zeros(())
    for block in z.split(_BLOCK):
        total += torch.cdist(block, z).square().mul_(-t).exp_().sum()
    # Each image is at distance 0 of itself, which is no pair.
    return float(((total - len(z)) / (len(z) * (len(z) - 1))).log())


def alignment(embeddings: Tensor) -> float:
    """Mean squared distance between two views of an image.

    Wang & Isola, ICML 2020, arXiv 2005.10242, Section 4.1.1 with exponent 2,
    averaged over all pairs of different views.

    Args:
        embeddings: Unit vectors (K, N, D), K at least 2.

    Returns:
        Value in [0, 4]; lower is more aligned.

    Raises:
        ValueError: If the shape is wrong, K < 2 or a value is not finite.
    """
    z = _check(embeddings, 3)
    if len(z) < 2:
        raise ValueError(f'alignment compares views and needs at least 2, got {len(z)}')
    # Mean over pairs = 2K / (K - 1) times the variance around the centroid.
    return float(view_variance(z) * 2 * len(z) / (len(z) - 1))


def view_variance(embeddings: Tensor) -> Tensor:
    """Mean squared distance of the views from their image's centroid.

    Args:
        embeddings: (…, K, N, D), e.g. of several times.

    Returns:
        Tensor (…), in [0, 1] for unit vectors.
    """
    centred = embeddings - embeddings.mean(dim=-3, keepdim=True)
    return centred.square().sum(dim=-1).mean(dim=(-2, -1))


def per_dimension_std(embeddings: Tensor) -> Tensor:
    """Standard deviation over images in each dimension.

    Unit vectors that are spread evenly have 1/sqrt(D) in each dimension, and 0
    means collapse (Chen & He, SimSiam, CVPR 2021, arXiv 2011.10566, Section 4.1).

    Args:
        embeddings: Matrix (N, D).

    Returns:
        float64 tensor (D,), of the population (divisor N).

    Raises:
        ValueError: If the shape is wrong or a value is not finite.
    """
    return _check(embeddings, 2).std(dim=0, correction=0)


def summarize(embeddings: Tensor) -> dict[str, float]:
    """Compute all measures.

    Args:
        embeddings: Unit vectors (N, D) of N images, or (K, N, D) of K views of
            them; N at least 2. Measures of one view are averaged over views.

    Returns:
        ``effective_rank``, ``largest_share``, ``participation_ratio``,
        ``uniformity``, ``std`` (mean over dimensions) and, for K >= 2,
        ``alignment``.

    Raises:
        ValueError: If the shape is wrong, N < 2 or a value is not finite.
    """
    views = embeddings[None] if embeddings.dim() == 2 else embeddings
    views = _check(views, 3)
    rows = []
    for view in views:
        rows.append(
            {
                **spectrum_measures(singular_values(view)),
                'uniformity': uniformity(view),
                'std': float(per_dimension_std(view).mean()),
            }
        )
    summary = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    if len(views) > 1:
        summary['alignment'] = alignment(views)
    return summary


def _check(embeddings: Tensor, dim: int) -> Tensor:
    axes = ('views', 'images', 'dimensions')[-dim:]
    if embeddings.dim() != dim or 0 in embeddings.shape:
        raise ValueError(
            f'embeddings must have shape ({", ".join(axes)}), each at least 1, '
            f'got {tuple(embeddings.shape)}'
        )
    if not bool(embeddings.isfinite().all()):
        raise ValueError(
            'embeddings hold NaN or infinity: the checkpoint that made them is '
            'broken, or its training diverged'
        )
    return embeddings.detach().double()
