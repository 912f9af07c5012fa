import gloo
import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from msbreg_mm.models.losses import MultiviewCentroidLoss, multiview_centroid_loss
from msbreg_mm.registry import MODELS

FORMS = ('view', 'centroid')


def unit(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return F.normalize(noise.double(), dim=-1)


def rotation(dim: int) -> Tensor:
    return torch.linalg.qr(unit(dim, dim, seed=9)).Q


# Two views along x and y; the target's two views agree on (0.6, 0.8).
ONLINE = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
TARGET = torch.tensor([[[0.6, 0.8]], [[0.6, 0.8]]])


@pytest.mark.parametrize(
    ('form', 'expected'),
    [
        # mean(2 - 2 * 0.6, 2 - 2 * 0.8)
        ('view', 0.6),
        # |(0.5, 0.5) - (0.6, 0.8)|^2
        ('centroid', 0.1),
    ],
)
def test_hand_computed_value(form: str, expected: float) -> None:
    loss = MultiviewCentroidLoss(form=form)(ONLINE, TARGET)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    weighted = MultiviewCentroidLoss(form=form, loss_weight=0.5)(ONLINE, TARGET)
    assert weighted.item() == pytest.approx(expected / 2, rel=1e-6)


def test_target_centroid_is_normalised_in_view_form_only() -> None:
    target = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])  # centroid (0.5, 0.5)
    online = torch.tensor([[[0.5**0.5, 0.5**0.5]]])
    view = multiview_centroid_loss(online, target, 'view')
    assert view.item() == pytest.approx(0, abs=1e-6)
    centroid = multiview_centroid_loss(online, target, 'centroid')
    assert centroid.item() == pytest.approx(2 * (0.5**0.5 - 0.5) ** 2, rel=1e-5)


@pytest.mark.parametrize(('views', 'target_views'), [(1, 1), (4, 4), (5, 2)])
def test_agrees_with_loops(views: int, target_views: int) -> None:
    z, t = unit(views, 6, 5), unit(target_views, 6, 5, seed=1)
    centroid = centre = 0.0
    for i in range(6):
        c = sum(t[k, i] for k in range(target_views)) / target_views
        for k in range(views):
            centre += float((z[k, i] - c / c.norm()).pow(2).sum()) / (6 * views)
        m = sum(z[k, i] for k in range(views)) / views
        centroid += float((m - c).pow(2).sum()) / 6
    # |z - u|^2 = 2 - 2 <z, u> for unit vectors z and u
    assert multiview_centroid_loss(z, t, 'view').item() == pytest.approx(centre)
    assert multiview_centroid_loss(z, t, 'centroid').item() == pytest.approx(centroid)


def test_identity_that_joins_the_forms() -> None:
    z, t = unit(4, 7, 5), unit(3, 7, 5, seed=1)
    to_centroid = (z - t.mean(dim=0)).square().sum(dim=-1).mean()
    variance = (z - z.mean(dim=0)).square().sum(dim=-1).mean()
    form = multiview_centroid_loss(z, t, 'centroid')
    torch.testing.assert_close(to_centroid, form + variance)


def test_centroid_form_is_zero_iff_centroids_agree() -> None:
    z = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]])
    t = torch.tensor([[[0.0, 1.0]], [[0.0, -1.0]]])
    assert multiview_centroid_loss(z, t, 'centroid') == 0


@pytest.mark.parametrize('form', FORMS)
def test_invariances(form: str) -> None:
    z, t = unit(3, 8, 5), unit(2, 8, 5, seed=1)
    loss = multiview_centroid_loss(z, t, form)
    order = torch.randperm(8)
    same = [
        multiview_centroid_loss(z[:, order], t[:, order], form),
        multiview_centroid_loss(z[[2, 0, 1]], t[[1, 0]], form),
        multiview_centroid_loss(z @ rotation(5), t @ rotation(5), form),
    ]
    for other in same:
        torch.testing.assert_close(other, loss)


@pytest.mark.parametrize('form', FORMS)
def test_gradient(form: str) -> None:
    z, t = unit(3, 4, 5).requires_grad_(), unit(3, 4, 5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: multiview_centroid_loss(z, t.detach(), form), z
    )
    MultiviewCentroidLoss(form)(z, t).backward()
    assert t.grad is None
    assert z.grad.isfinite().all()
    assert z.grad.abs().sum() > 0


@pytest.mark.parametrize('form', FORMS)
def test_opposite_target_views_give_a_finite_gradient(form: str) -> None:
    z = unit(2, 3, 4).float().requires_grad_()
    t = unit(1, 3, 4, seed=1).float()
    loss = multiview_centroid_loss(z, torch.cat([t, -t]), form)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()


def test_full_precision_under_autocast() -> None:
    z, t = unit(4, 16, 32).float(), unit(4, 16, 32, seed=1).float()
    module = MultiviewCentroidLoss()
    with torch.autocast('cpu', torch.bfloat16):
        loss = module(z, t)
    torch.testing.assert_close(loss, module(z, t), rtol=0, atol=0)
    assert module(z.bfloat16(), t.bfloat16()).dtype == torch.float32


def _loss_of_rank(z: Tensor, t: Tensor, sizes: list[tuple[int, ...]]) -> list:
    out = []
    rank = dist.get_rank()
    for form in FORMS:
        for size in sizes:
            mine = z.split(size, dim=1)[rank].clone().requires_grad_()
            loss = multiview_centroid_loss(mine, t.split(size, dim=1)[rank], form)
            loss.backward()
            out.append((form, size, loss.detach(), mine.grad))
    return out


@pytest.mark.dist
def test_two_processes_equal_the_concatenated_batch() -> None:
    z, t = unit(3, 6, 5), unit(2, 6, 5, seed=1)
    for rank, results in enumerate(gloo.run(_loss_of_rank, z, t, [(3, 3), (2, 4)])):
        for form, size, loss, gradient in results:
            whole = z.clone().requires_grad_()
            expected = multiview_centroid_loss(whole, t, form)
            expected.backward()
            torch.testing.assert_close(loss, expected.detach())
            # DDP averages over the 2 ranks.
            share = whole.grad.split(size, dim=1)[rank]
            torch.testing.assert_close(gradient / 2, share)


def test_is_registered() -> None:
    loss = MODELS.build({'type': 'msbreg_mm.MultiviewCentroidLoss', 'form': 'centroid'})
    assert isinstance(loss, MultiviewCentroidLoss)
    assert loss.form == 'centroid'


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"form of Multiview.*'view', 'centroid'.*'x'"):
        MultiviewCentroidLoss(form='x')
    with pytest.raises(ValueError, match=r"form of multiview_centroid_loss.*'x'"):
        multiview_centroid_loss(ONLINE, TARGET, 'x')
    for weight in (-0.1, float('nan'), float('inf')):
        with pytest.raises(ValueError, match='loss_weight of MultiviewCentroidLoss'):
            MultiviewCentroidLoss(loss_weight=weight)
    loss = MultiviewCentroidLoss()
    with pytest.raises(
        ValueError, match=r'agree in images.*\(2, 3, 4\) and \(2, 3, 5\)'
    ):
        loss(torch.ones(2, 3, 4), torch.ones(2, 3, 5))
    with pytest.raises(
        ValueError, match=r'agree in images.*\(2, 3, 4\) and \(2, 2, 4\)'
    ):
        loss(torch.ones(2, 3, 4), torch.ones(2, 2, 4))
    with pytest.raises(
        ValueError, match=r'online embeddings must have shape.*\(3, 4\)'
    ):
        loss(torch.ones(3, 4), torch.ones(3, 4))
    with pytest.raises(ValueError, match=r'target embeddings must have.*\(0, 3, 4\)'):
        loss(torch.ones(2, 3, 4), torch.ones(0, 3, 4))
