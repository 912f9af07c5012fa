"""Free particles on the sphere, moved by the forces of MSBReg's losses.

No network and no image: the embeddings themselves are the parameters. What the
losses do to them is what they ask of a network.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from msbreg_mm.evaluation.geometry import singular_values
from msbreg_mm.models.losses import (
    BrownianDiffusiveLoss,
    MultiviewCentroidLoss,
    SingularValueLoss,
)
from msbreg_mm.utils.errors import OptionError


def sample_cap(
    views: int,
    images: int,
    dims: int = 3,
    spread: float = 0.5,
    view_spread: float = 0.3,
    seed: int = 0,
) -> Tensor:
    """Place the views of images in a cap around the first axis.

    This is how embeddings start: near each other, the views of an image nearer.

    Args:
        views: K, at least 1.
        images: N, at least 1.
        dims: D, at least 2.
        spread: Standard deviation of the images around the axis, per dimension and
            before the normalisation, not negative.
        view_spread: Standard deviation of the views around their image.
        seed: Seed of the places.

    Returns:
        Unit vectors (K, N, D), float64.

    Raises:
        ValueError: If a number is out of range.
    """
    least: dict[str, tuple[float, float]] = {
        'views': (views, 1),
        'images': (images, 1),
        'dims': (dims, 2),
    }
    least |= {'spread': (spread, 0), 'view_spread': (view_spread, 0)}
    for name, (value, low) in least.items():
        if value < low:
            raise ValueError(f'{name} must be at least {low}, got {value}')
    rng = torch.Generator().manual_seed(seed)
    axis = torch.zeros(dims, dtype=torch.float64)
    axis[0] = 1
    noise = torch.randn(1 + views, images, dims, generator=rng, dtype=torch.float64)
    centre = F.normalize(axis + spread * noise[0], dim=-1)
    return F.normalize(centre + view_spread * noise[1:], dim=-1)


def simulate(
    start: Tensor,
    *,
    centroid: MultiviewCentroidLoss | None = None,
    singular_value: SingularValueLoss | None = None,
    brownian: BrownianDiffusiveLoss | None = None,
    steps: int = 400,
    step_size: float = 0.1,
    target_momentum: float = 0.0,
) -> Tensor:
    """Move particles by gradient descent on the sphere.

    One step is ``z ← normalise(z + η F)`` with the tangential force
    ``F = -K N P_z ∂L/∂z``. The factor K N takes back the mean in the losses, so a
    particle's own force does not depend on how many others there are.

    The target of the centroid loss is ``t ← normalise(m t + (1 - m) z)``, a delayed
    copy of the particles; gradients do not flow into it. Brownian directions come
    from torch's global generator, as in training.

    Args:
        start: Unit vectors (K, N, D), float32 or float64.
        centroid: Force between views, or None for none.
        singular_value: Force that evens the spectrum, or None.
        brownian: Random force, or None.
        steps: Number of steps, at least 1.
        step_size: η, positive.
        target_momentum: m in [0, 1), the fraction of the old target that stays; 0
            for a target that is the particles of the moment.

    Returns:
        Positions (steps + 1, K, N, D), the start first.

    Raises:
        OptionError: If no force is given or an argument is out of range.
    """
    if centroid is None and singular_value is None and brownian is None:
        raise OptionError('no force: give centroid, singular_value or brownian')
    if steps < 1 or step_size <= 0 or not 0 <= target_momentum < 1:
        raise OptionError(
            'steps must be at least 1, step_size positive and target_momentum in '
            f'[0, 1), got {steps}, {step_size} and {target_momentum}'
        )
    if start.dim() != 3:
        raise OptionError(
            f'start must have shape (views, images, dims), got {tuple(start.shape)}'
        )
    free_terms = [term for term in (singular_value, brownian) if term is not None]
    positions, target = [start], start
    for _ in range(steps):
        z = positions[-1].clone().requires_grad_()
        loss = z.new_zeros(()) + sum(term(z) for term in free_terms)
        if centroid is not None:
            loss = loss + centroid(z, target)
        (gradient,) = torch.autograd.grad(loss, z)
        positions.append(step_on_sphere(z.detach(), -step_size * gradient))
        target = F.normalize(
            target_momentum * target + (1 - target_momentum) * positions[-1], dim=-1
        )
    return torch.stack(positions)


def step_on_sphere(z: Tensor, step: Tensor) -> Tensor:
    """Move each particle along the tangent part of its step and back to the sphere.

    Args:
        z: Unit vectors (K, N, D).
        step: Steps (K, N, D) of the mean loss; they are multiplied by K N.

    Returns:
        Unit vectors (K, N, D).
    """
    step = step * (z.shape[0] * z.shape[1])
    tangent = step - (step * z).sum(dim=-1, keepdim=True) * z
    return F.normalize(z + tangent, dim=-1)


def spectra(positions: Tensor) -> Tensor:
    """Singular values of each view's (N, D) matrix over √N, averaged over views.

    Args:
        positions: Positions (T, K, N, D).

    Returns:
        Tensor (T, min(N, D)), descending; all 1/√D when the spectrum is even and
        N is at least D.
    """
    scale = math.sqrt(positions.shape[2])
    values = [[singular_values(view) for view in step] for step in positions]
    return torch.stack([torch.stack(step).mean(dim=0) for step in values]) / scale


def squared_displacement(positions: Tensor) -> Tensor:
    """Mean squared distance of the particles from where they started, per step.

    Args:
        positions: Positions (T, K, N, D).

    Returns:
        Tensor (T,), in [0, 4].
    """
    return (positions - positions[0]).square().sum(dim=-1).mean(dim=(1, 2))


def brownian_displacement(steps: int, step_length: float, dims: int) -> Tensor:
    """Squared displacement that free Brownian particles are expected to have.

    A step of length s in a random direction of the D-dimensional space has the
    expected squared tangent part s²(D - 1)/D; while the particles are near their
    start these add up, ``t s² (D - 1) / D`` after t steps.

    Args:
        steps: Number of steps.
        step_length: s, step size times weight of the loss.
        dims: D.

    Returns:
        Tensor (steps + 1,), a straight line from 0.
    """
    return torch.arange(steps + 1.0) * step_length**2 * (dims - 1) / dims
