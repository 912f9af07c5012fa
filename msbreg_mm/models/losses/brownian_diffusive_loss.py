"""Brownian diffusive loss: move every embedding in a random direction."""

import torch
from mmengine.dist import get_rank
from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.models.losses.embedding_loss import (
    EmbeddingLoss,
    at_least_float32,
    check_embeddings,
)
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.dist import global_mean
from msbreg_mm.utils.keys import draw_key, seed_of


def brownian_diffusive_loss(embeddings: Tensor, directions: Tensor) -> Tensor:
    """Mean inner product of embeddings with given directions.

    The loss is ``mean_{k,i} <z[k, i], b[i]>``. Its gradient at ``z[k, i]`` is
    ``b[i] / (K N)``, whatever the other embeddings are.

    Args:
        embeddings: Embeddings z of unit length.
        directions: Directions b of unit length.

    Shape:
        embeddings (K, N, D), directions (N, D), shared by the views, or (K, N, D).

    Returns:
        Scalar in [-1, 1], over the images of all ranks.

    Raises:
        ValueError: If the shapes do not fit.
    """
    check_embeddings('embeddings', embeddings)
    if directions.shape not in (embeddings.shape, embeddings.shape[1:]):
        raise ValueError(
            f'directions must have shape {tuple(embeddings.shape[1:])}, one per image, '
            f'or {tuple(embeddings.shape)}, one per view, got {tuple(directions.shape)}'
        )
    return global_mean((embeddings * directions.detach()).sum(dim=-1))


def sample_directions(shape: torch.Size, like: Tensor) -> Tensor:
    """Draw directions uniformly on the unit sphere, independently on each rank.

    Seed and rank are hashed to one, as ranks may be seeded alike; the seed is drawn
    from PyTorch's global CPU generator, which a training starts anew at each
    iteration. This way ``torch.manual_seed`` governs the directions, no state has to
    be kept, and no device is waited for.

    Args:
        shape: Shape of the result; the last axis is the space.
        like: Tensor that gives device and dtype.

    Returns:
        Tensor of ``shape`` whose last axis has length 1.
    """
    # A hash, not a sum: rank 1 must not draw what rank 0 draws from the next seed.
    # PyTorch's CPU generator keeps 32 bits of it.
    seed = seed_of(draw_key('directions', int(torch.randint(2**62, ())), get_rank()))
    generator = torch.Generator(like.device).manual_seed(seed)
    noise = torch.randn(
        shape, generator=generator, device=like.device, dtype=like.dtype
    )
    return F.normalize(noise, dim=-1)


@MODELS.register_module()
class BrownianDiffusiveLoss(EmbeddingLoss):
    """Diffuse the embeddings with a random force that needs no other particle.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552, describe the term in words; formula and weight
    are this project's choice (``docs/method.md``). The directions are drawn at
    each call, see :func:`sample_directions`; the mean of the loss is 0 and its
    value says nothing about progress. See :func:`brownian_diffusive_loss`.

    Args:
        shared: Whether the views of an image share one direction. Otherwise
            each view moves on its own, against the centroid loss.
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: If ``loss_weight`` is negative.
    """

    def __init__(self, shared: bool = True, loss_weight: float = 0.1) -> None:
        super().__init__(loss_weight)
        self.shared = shared

    def forward(self, embeddings: Tensor, directions: Tensor | None = None) -> Tensor:
        """Return the weighted loss.

        Args:
            embeddings: Embeddings (K, N, D) of unit length.
            directions: Directions (N, D) or (K, N, D) to use; drawn if None.

        Returns:
            Scalar.
        """
        check_embeddings('embeddings', embeddings)
        if directions is None:
            shape = embeddings.shape[1:] if self.shared else embeddings.shape
            directions = sample_directions(shape, at_least_float32(embeddings))
        return self.weighted(brownian_diffusive_loss, embeddings, directions)
