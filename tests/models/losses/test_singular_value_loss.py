import gloo
import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from msbreg_mm.models.losses import SingularValueLoss, singular_value_loss
from msbreg_mm.registry import MODELS

FORMS = ('raw', 'centred', 'correlation')
# N < D, N = D, N > D: ZZᵀ in the first, ZᵀZ in the others.
SIZES = ((5, 12), (8, 8), (20, 6))


def unit(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    # An offset: centring must matter.
    return F.normalize(noise.double() + 0.3, dim=-1)


def reference(z: Tensor, form: str) -> Tensor:
    """Loss of one view from an explicit SVD or numpy's correlations."""
    n, d = z.shape
    if form == 'raw':
        return d / n**2 * torch.linalg.svdvals(z).pow(4).sum() - 1
    if form == 'centred':
        covariance = torch.cov(z.T, correction=0)
        return d * (covariance - torch.eye(d) / d).square().sum()
    return (torch.corrcoef(z.T) - torch.eye(d)).square().sum() / d


def test_hand_computed_value() -> None:
    # ZᵀZ / N = diag(2/3, 1/3); 2 * (4/9 + 1/9) - 1 = 1/9
    z = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    assert SingularValueLoss(loss_weight=1)(z).item() == pytest.approx(1 / 9, rel=1e-5)
    assert SingularValueLoss(loss_weight=3)(z).item() == pytest.approx(1 / 3, rel=1e-5)
    # mean (0, 1/3), C = diag(2/3, 2/9): 2 * ((1/6)^2 + (5/18)^2)
    centred = singular_value_loss(z, 'centred').item()
    assert centred == pytest.approx(2 * (1 / 36 + 25 / 324), rel=1e-5)
    assert singular_value_loss(z, 'correlation').item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(('n', 'd'), SIZES)
def test_agrees_with_svd_value_and_gradient(form: str, n: int, d: int) -> None:
    z = unit(3, n, d).requires_grad_()
    loss = singular_value_loss(z, form)
    expected = torch.stack([reference(view, form) for view in z]).mean()
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, z)
    (expected_gradient,) = torch.autograd.grad(expected, z)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize(('n', 'd'), SIZES)
def test_is_the_mean_squared_similarity(n: int, d: int) -> None:
    z = unit(1, n, d)
    expected = d * (z[0] @ z[0].T).square().mean() - 1
    torch.testing.assert_close(singular_value_loss(z), expected)


@pytest.mark.parametrize(('n', 'd'), SIZES)
def test_range_of_the_raw_form(n: int, d: int) -> None:
    collapsed = unit(1, 1, d).expand(1, n, d)
    assert singular_value_loss(collapsed).item() == pytest.approx(d - 1)
    signs = torch.tensor([1.0, -1.0]).repeat(n)[:n, None]
    assert singular_value_loss(collapsed * signs).item() == pytest.approx(d - 1)
    # Orthonormal rows or columns: all singular values are equal.
    q = torch.linalg.qr(unit(max(n, d), min(n, d))).Q
    even = F.normalize(q if n >= d else q.T, dim=-1)[None]
    if n <= d:
        assert singular_value_loss(even).item() == pytest.approx(d / n - 1)
    for seed in range(5):
        value = singular_value_loss(unit(1, n, d, seed=seed)).item()
        assert max(0, d / n - 1) <= value <= d - 1


def test_raw_form_is_zero_for_equal_singular_values() -> None:
    axes = torch.eye(4).repeat(3, 1)[None]  # 12 images on 4 axes
    assert singular_value_loss(axes).item() == pytest.approx(0, abs=1e-6)


def test_expectation_for_uniform_points() -> None:
    generator = torch.Generator().manual_seed(0)
    z = F.normalize(torch.randn(200, 64, 16, generator=generator), dim=-1)
    # (D - 1) / N = 0.234; the standard error over 200 views is 0.002
    assert singular_value_loss(z).item() == pytest.approx(15 / 64, abs=0.01)


def test_centred_form_equals_raw_form_for_zero_mean() -> None:
    z = unit(2, 9, 5)
    both = torch.cat([z, -z], dim=1)
    torch.testing.assert_close(
        singular_value_loss(both, 'centred'), singular_value_loss(both, 'raw')
    )


@pytest.mark.parametrize(('form', 'value'), [('raw', 7), ('centred', 1)])
def test_collapse_costs_more_than_spread(form: str, value: float) -> None:
    collapsed = unit(2, 1, 8).expand(2, 50, 8).float()
    noise = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0))
    loss = singular_value_loss(collapsed, form)
    assert loss.item() == pytest.approx(value, rel=1e-5)
    assert singular_value_loss(F.normalize(noise, dim=-1), form) < 0.5


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(('n', 'd'), SIZES)
def test_invariances(form: str, n: int, d: int) -> None:
    z = unit(3, n, d)
    loss = singular_value_loss(z, form)
    order = torch.randperm(n)
    same = [
        singular_value_loss(z[:, order], form),
        singular_value_loss(z[[2, 0, 1]], form),
        torch.stack([singular_value_loss(view[None], form) for view in z]).mean(),
    ]
    if form != 'correlation':  # correlations belong to the axes
        rotation = torch.linalg.qr(unit(d, d, seed=9)).Q
        same.append(singular_value_loss(z @ rotation, form))
    else:
        same.append(singular_value_loss(z * torch.arange(1, d + 1), form))
    for other in same:
        torch.testing.assert_close(other, loss)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(('n', 'd'), SIZES)
def test_gradcheck(form: str, n: int, d: int) -> None:
    z = unit(2, n, d).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: singular_value_loss(z, form), z)


@pytest.mark.parametrize('form', FORMS)
def test_gradient_is_finite_at_collapse(form: str) -> None:
    z = unit(2, 1, 8).expand(2, 16, 8).float().clone().requires_grad_()
    singular_value_loss(z, form).backward()
    assert z.grad.isfinite().all()
    constant = unit(1, 16, 8).float()
    constant[..., 3] = 0.25  # one constant dimension
    constant.requires_grad_()
    singular_value_loss(constant, form).backward()
    assert constant.grad.isfinite().all()


def test_gradient_descent_spreads_nearly_collapsed_points() -> None:
    point = unit(1, 1, 8).float()
    noise = torch.randn(1, 64, 8, generator=torch.Generator().manual_seed(0))
    x = (point + 0.1 * noise).requires_grad_()
    start = singular_value_loss(F.normalize(x, dim=-1)).item()
    optimizer = torch.optim.SGD([x], lr=5.0)
    for _ in range(100):
        optimizer.zero_grad()
        loss = singular_value_loss(F.normalize(x, dim=-1))
        loss.backward()
        optimizer.step()
    assert start > 3
    assert loss.item() < 0.1


def test_one_image() -> None:
    assert singular_value_loss(unit(3, 1, 7)).item() == pytest.approx(6)
    for form in ('centred', 'correlation'):
        with pytest.raises(ValueError, match=f"'{form}' form.*at least 2, got 1"):
            singular_value_loss(unit(3, 1, 7), form)


def test_full_precision_under_autocast() -> None:
    z = unit(4, 64, 16).float()
    module = SingularValueLoss()
    with torch.autocast('cpu', torch.bfloat16):
        loss = module(z)
    torch.testing.assert_close(loss, module(z), rtol=0, atol=0)
    assert module(z.half()).dtype == torch.float32


def _loss_of_rank(z: Tensor, sizes: list[tuple[int, ...]]) -> list:
    out = []
    for form in FORMS:
        for size in sizes:
            mine = z.split(size, dim=1)[dist.get_rank()].clone().requires_grad_()
            loss = singular_value_loss(mine, form)
            loss.backward()
            out.append((form, size, loss.detach(), mine.grad))
    return out


@pytest.mark.dist
@pytest.mark.parametrize('dim', [4, 12])  # the whole batch of 6 is larger or smaller
def test_two_processes_equal_the_concatenated_batch(dim: int) -> None:
    z = unit(3, 6, dim)
    # In the last split each rank alone would be too small for N < D or for N >= 2.
    for rank, results in enumerate(
        gloo.run(_loss_of_rank, z, [(3, 3), (2, 4), (1, 5)])
    ):
        for form, size, loss, gradient in results:
            whole = z.clone().requires_grad_()
            expected = singular_value_loss(whole, form)
            expected.backward()
            torch.testing.assert_close(loss, expected.detach())
            # DDP averages over the 2 ranks.
            share = whole.grad.split(size, dim=1)[rank]
            torch.testing.assert_close(gradient / 2, share)


def test_is_registered() -> None:
    loss = MODELS.build({'type': 'msbreg_mm.SingularValueLoss', 'form': 'centred'})
    assert isinstance(loss, SingularValueLoss)
    assert loss.form == 'centred'


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"form of SingularValueLoss.*'raw'.*'svd'"):
        SingularValueLoss(form='svd')
    with pytest.raises(ValueError, match=r"form of singular_value_loss.*'svd'"):
        singular_value_loss(unit(1, 2, 3), 'svd')
    with pytest.raises(ValueError, match=r'loss_weight of SingularValueLoss.*-1'):
        SingularValueLoss(loss_weight=-1)
    with pytest.raises(ValueError, match=r'embeddings must have shape.*\(2, 3\)'):
        singular_value_loss(unit(2, 3))
    with pytest.raises(ValueError, match=r'embeddings must have shape.*\(2, 0, 3\)'):
        singular_value_loss(torch.ones(2, 0, 3))
    with pytest.raises(ValueError, match=r'floating point, got torch.int64'):
        singular_value_loss(torch.ones(2, 2, 3, dtype=torch.int64))
