import math

import pytest
import torch
from torch.nn import functional as F

from msbreg_mm.analysis.particles import (
    brownian_displacement,
    sample_cap,
    simulate,
    spectra,
    squared_displacement,
)
from msbreg_mm.evaluation.geometry import view_variance
from msbreg_mm.models.losses import (
    BrownianDiffusiveLoss,
    MultiviewCentroidLoss,
    SingularValueLoss,
)


def uniform(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(shape, generator=rng, dtype=torch.float64), dim=-1)


def test_two_views_fall_towards_their_centroid_by_the_exact_recursion():
    # Symmetric views keep the centroid's direction; a view at angle θ from it takes
    # the tangential step 2 η sin θ, so that θ ← θ - atan(2 η sin θ).
    angle, eta = 0.8, 0.1
    views = [[math.cos(angle), s * math.sin(angle), 0.0] for s in (1, -1)]
    start = torch.tensor(views, dtype=torch.float64)[:, None]
    path = simulate(start, centroid=MultiviewCentroidLoss(), steps=6, step_size=eta)
    for step in range(7):
        assert path[step, 0, 0, :2].tolist() == pytest.approx(
            [math.cos(angle), math.sin(angle)]
        )
        angle -= math.atan(2 * eta * math.sin(angle))


def test_centroid_force_contracts_views_and_leaves_images_apart():
    start = sample_cap(4, 12, dims=5, seed=1)
    path = simulate(
        start,
        centroid=MultiviewCentroidLoss(),
        steps=150,
        step_size=0.1,
        target_momentum=0.9,
    )
    variance = view_variance(path)
    assert (variance.diff() < 1e-12).all()
    assert variance[-1] < 1e-6 * variance[0]
    before, after = (F.normalize(p.mean(0), dim=-1) for p in (path[0], path[-1]))
    # Each image stays where its views were: images do not attract each other.
    assert ((before * after).sum(-1) > 0.99).all()


def test_singular_value_force_is_the_gradient_of_the_sum_of_fourth_powers():
    # S = D/N² Σσ⁴ per view, so the force on a particle is -(4 D/N) Z ZᵀZ, projected.
    z, eta = uniform(1, 7, 3), 0.03
    path = simulate(z, singular_value=SingularValueLoss(loss_weight=1.0), steps=1,
                    step_size=eta)  # fmt: skip
    u, s, vh = torch.linalg.svd(z[0], full_matrices=False)
    force = -(4 * 3 / 7) * (u * s**3) @ vh
    tangent = force - (force * z[0]).sum(-1, keepdim=True) * z[0]
    expected = F.normalize(z[0] + eta * tangent, dim=-1)
    torch.testing.assert_close(path[1, 0], expected)


@pytest.mark.parametrize('dims', [2, 3, 6])
def test_singular_value_force_equalises_the_spectrum(dims):
    start = sample_cap(2, 20, dims=dims, seed=2)
    loss = SingularValueLoss(loss_weight=1.0)
    path = simulate(start, singular_value=loss, steps=400, step_size=0.05)
    even = torch.full((dims,), 1 / math.sqrt(dims), dtype=torch.float64)
    assert spectra(path)[0, 0] > 1.2 * even[0]
    torch.testing.assert_close(spectra(path)[-1], even, atol=1e-3, rtol=0)


def test_brownian_displacement_grows_linearly_and_then_saturates():
    # Isotropic steps shrink the mean of <z_t, z_0> by one factor c each, exactly.
    torch.manual_seed(0)
    dims, eta, weight, steps = 3, 0.5, 0.2, 300
    length = eta * weight
    path = simulate(
        uniform(1, 4000, dims),
        brownian=BrownianDiffusiveLoss(loss_weight=weight),
        steps=steps,
        step_size=eta,
    )
    measured = squared_displacement(path)
    tangent = 1 - uniform(200_000, dims, seed=5)[:, 0] ** 2
    factor = (1 + length**2 * tangent).rsqrt().mean()
    exact = 2 - 2 * factor ** torch.arange(steps + 1.0)
    torch.testing.assert_close(measured.float(), exact.float(), rtol=0.06, atol=1e-3)
    early = slice(1, 20)
    line = brownian_displacement(steps, length, dims)
    torch.testing.assert_close(measured[early].float(), line[early], rtol=0.1, atol=0)
    assert measured[-1] < 0.75 * line[-1]


def test_brownian_force_needs_no_other_particle():
    start, loss = uniform(1, 5, 3), BrownianDiffusiveLoss()
    torch.manual_seed(3)
    together = simulate(start, brownian=loss, steps=3)
    others = start.clone()
    others[:, 1:] = uniform(1, 4, 3, seed=9)
    torch.manual_seed(3)
    torch.testing.assert_close(
        simulate(others, brownian=loss, steps=3)[:, :, 0], together[:, :, 0]
    )


def test_all_forces_together_even_the_spectrum_and_hold_the_views():
    torch.manual_seed(0)
    start = sample_cap(3, 30, seed=4)
    path = simulate(
        start,
        centroid=MultiviewCentroidLoss(),
        singular_value=SingularValueLoss(loss_weight=0.25),
        brownian=BrownianDiffusiveLoss(loss_weight=0.1),
        steps=300,
        step_size=0.05,
        target_momentum=0.9,
    )
    torch.testing.assert_close(path.norm(dim=-1), torch.ones_like(path[..., 0]))
    assert view_variance(path)[-1] < 0.01 * view_variance(path)[0]
    assert spectra(path)[-1].std() < 0.1 * spectra(path)[0].std()


def test_measures_by_hand():
    z = torch.tensor([[[[1.0, 0]], [[0, 1]]], [[[1.0, 0]], [[1, 0]]]])  # T K N D
    assert view_variance(z).tolist() == pytest.approx([0.5, 0])
    assert squared_displacement(z).tolist() == pytest.approx([0, 1])
    assert spectra(z)[0].tolist() == pytest.approx([1])


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        (dict(), 'no force'),
        (dict(brownian=BrownianDiffusiveLoss(), steps=0), 'steps must be at least 1'),
        (dict(brownian=BrownianDiffusiveLoss(), target_momentum=1.0), r'\[0, 1\)'),
    ],
)
def test_simulate_refuses(arguments, match):
    with pytest.raises(ValueError, match=match):
        simulate(uniform(1, 2, 3), **arguments)


def test_bad_starts():
    with pytest.raises(
        ValueError, match=r'shape \(views, images, dims\), got \(2, 3\)'
    ):
        simulate(uniform(2, 3), brownian=BrownianDiffusiveLoss())
    with pytest.raises(ValueError, match='dims must be at least 2, got 1'):
        sample_cap(2, 2, dims=1)
