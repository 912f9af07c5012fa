import gloo
import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from msbreg_mm.models.losses import (
    BrownianDiffusiveLoss,
    brownian_diffusive_loss,
    sample_directions,
)
from msbreg_mm.registry import MODELS


def unit(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return F.normalize(noise.double(), dim=-1)


def test_hand_computed_value() -> None:
    z = torch.tensor([[[1.0, 0.0], [0.6, 0.8]], [[0.0, 1.0], [0.8, 0.6]]])
    b = torch.tensor([[0.6, 0.8], [-1.0, 0.0]])
    # mean(0.6, -0.6, 0.8, -0.8) and, per view, mean(0.6, -0.6, 1.0, 0.6)
    shared = BrownianDiffusiveLoss(loss_weight=2)(z, b)
    assert shared.item() == pytest.approx(0, abs=1e-7)
    per_view = torch.stack([b, torch.tensor([[0.0, 1.0], [0.0, 1.0]])])
    loss = BrownianDiffusiveLoss(loss_weight=2)(z, per_view)
    assert loss.item() == pytest.approx(2 * 1.6 / 4)


def test_agrees_with_loops() -> None:
    z, b = unit(3, 4, 5), unit(4, 5, seed=1)
    expected = sum(float(z[k, i] @ b[i]) for k in range(3) for i in range(4)) / 12
    assert brownian_diffusive_loss(z, b).item() == pytest.approx(expected)


def test_gradient_is_the_direction() -> None:
    z, b = unit(3, 4, 5).requires_grad_(), unit(4, 5, seed=1).requires_grad_()
    brownian_diffusive_loss(z, b).backward()
    torch.testing.assert_close(z.grad, (b / 12).detach().expand(3, 4, 5))
    assert b.grad is None


def test_invariances() -> None:
    z, b = unit(3, 4, 5), unit(4, 5, seed=1)
    loss = brownian_diffusive_loss(z, b)
    order = torch.randperm(4)
    rotation = torch.linalg.qr(unit(5, 5, seed=9)).Q
    for other in (
        brownian_diffusive_loss(z[:, order], b[order]),
        brownian_diffusive_loss(z[[2, 0, 1]], b),
        brownian_diffusive_loss(z @ rotation, b @ rotation),
        brownian_diffusive_loss(z, b.expand(3, 4, 5)),
    ):
        torch.testing.assert_close(other, loss)


def test_directions_are_uniform_on_the_sphere() -> None:
    torch.manual_seed(0)
    b = sample_directions(torch.Size([20000, 4]), torch.zeros(1))
    torch.testing.assert_close(b.norm(dim=-1), torch.ones(20000))
    # Standard errors: 0.5 / sqrt(20000) = 0.004 and less for the moments
    assert b.mean(dim=0).abs().max() < 0.015
    torch.testing.assert_close(b.T @ b / 20000, torch.eye(4) / 4, atol=0.01, rtol=0)
    # One coordinate of the uniform law on the sphere in 4-d: E x^4 = 3 / 24
    assert b.pow(4).mean().item() == pytest.approx(1 / 8, abs=0.004)


def test_mean_of_the_loss_is_zero() -> None:
    torch.manual_seed(0)
    module, z = BrownianDiffusiveLoss(loss_weight=1), unit(1, 1, 8).expand(1, 500, 8)
    values = torch.stack([module(z) for _ in range(40)])
    # One product has variance 1/8, so the mean of 20000 has std 0.0025.
    assert values.mean().abs() < 0.01
    assert values.std() > 0


def test_free_particle_diffuses() -> None:
    """The squared displacement grows linearly in the number of steps."""
    torch.manual_seed(0)
    module = BrownianDiffusiveLoss(loss_weight=1)
    x = torch.zeros(1, 4000, 3, requires_grad=True)
    squared = []
    for _ in range(16):
        (gradient,) = torch.autograd.grad(module(x) * 4000, x)
        x = (x - gradient).detach().requires_grad_()
        squared.append(x.square().sum(dim=-1).mean().item())
    # Steps of length 1: n steps give n.
    for steps, value in enumerate(squared, start=1):
        assert value == pytest.approx(steps, rel=0.06)


def test_views_share_a_direction_by_default() -> None:
    z = torch.zeros(3, 4, 5, requires_grad=True)
    BrownianDiffusiveLoss()(z).backward()
    torch.testing.assert_close(z.grad[0], z.grad[1])
    torch.testing.assert_close(z.grad.norm(dim=-1), torch.full((3, 4), 0.1 / 12))
    z = torch.zeros(3, 4, 5, requires_grad=True)
    BrownianDiffusiveLoss(shared=False)(z).backward()
    assert not torch.allclose(z.grad[0], z.grad[1])


def test_seed_makes_directions_reproducible() -> None:
    module, z = BrownianDiffusiveLoss(), unit(2, 8, 4)
    torch.manual_seed(3)
    first = [module(z).item() for _ in range(3)]
    torch.manual_seed(3)
    assert [module(z).item() for _ in range(3)] == first
    assert len(set(first)) == 3


def test_full_precision_under_autocast() -> None:
    z, b = unit(2, 8, 4).float(), unit(8, 4, seed=1).float()
    module = BrownianDiffusiveLoss()
    with torch.autocast('cpu', torch.bfloat16):
        loss = module(z, b)
    torch.testing.assert_close(loss, module(z, b), rtol=0, atol=0)
    assert module(z.bfloat16()).dtype == torch.float32


def _loss_of_rank(z: Tensor, b: Tensor, sizes: list[tuple[int, ...]]) -> dict:
    rank = dist.get_rank()
    given = []
    for size in sizes:
        mine = z.split(size, dim=1)[rank].clone().requires_grad_()
        loss = brownian_diffusive_loss(mine, b.split(size)[rank])
        loss.backward()
        given.append((size, loss.detach(), mine.grad))
    torch.manual_seed(0)  # mmengine seeds all ranks alike
    drawn = sample_directions(torch.Size([4, 16]), z)
    following = sample_directions(torch.Size([4, 16]), z)
    return {'given': given, 'drawn': drawn, 'following': following}


@pytest.mark.dist
def test_two_processes() -> None:
    z, b = unit(3, 6, 5), unit(6, 5, seed=1)
    ranks = gloo.run(_loss_of_rank, z, b, [(3, 3), (2, 4)])
    whole = z.clone().requires_grad_()
    expected = brownian_diffusive_loss(whole, b)
    expected.backward()
    for rank, out in enumerate(ranks):
        for size, loss, gradient in out['given']:
            torch.testing.assert_close(loss, expected.detach())
            # DDP averages over the 2 ranks.
            share = whole.grad.split(size, dim=1)[rank]
            torch.testing.assert_close(gradient / 2, share)
    # Independent draws: across ranks and steps no vector recurs.
    draws = torch.cat([out[key] for out in ranks for key in ('drawn', 'following')])
    similarity = (draws @ draws.T).fill_diagonal_(0)
    assert similarity.abs().max() < 0.95


def test_is_registered() -> None:
    loss = MODELS.build({'type': 'msbreg_mm.BrownianDiffusiveLoss', 'shared': False})
    assert isinstance(loss, BrownianDiffusiveLoss)
    assert not loss.shared


def test_errors() -> None:
    with pytest.raises(ValueError, match=r'loss_weight of BrownianDiffusiveLoss.*-2'):
        BrownianDiffusiveLoss(loss_weight=-2)
    loss = BrownianDiffusiveLoss()
    with pytest.raises(ValueError, match=r'embeddings must have shape.*\(2, 3\)'):
        loss(torch.ones(2, 3))
    with pytest.raises(
        ValueError, match=r'directions must have shape \(4, 5\).*\(3, 5\)'
    ):
        loss(torch.ones(3, 4, 5), torch.ones(3, 5))
