import gloo
import pytest
import torch
from torch import distributed as dist
from torch.nn import functional as F

from msbreg_mm.models.losses import VICRegLoss, vicreg_terms
from msbreg_mm.registry import MODELS


def raw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def official(x, y):
    """The loss of facebookresearch/vicreg's main_vicreg.py, rewritten for a test."""
    repr_loss = F.mse_loss(x, y)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    std_x = torch.sqrt(x.var(dim=0) + 0.0001)
    std_y = torch.sqrt(y.var(dim=0) + 0.0001)
    std_loss = F.relu(1 - std_x).mean() / 2 + F.relu(1 - std_y).mean() / 2
    cov_loss = 0
    for z in (x, y):
        cov = (z.T @ z) / (len(z) - 1)
        off_diagonal = cov - torch.diag(cov.diagonal())
        cov_loss = cov_loss + off_diagonal.pow(2).sum() / z.shape[1]
    return {'invariance': repr_loss, 'variance': std_loss, 'covariance': cov_loss}


def test_hand_computed_value():
    first = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    second = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    terms = vicreg_terms(torch.stack([first, second]))
    # squared differences 0, 1, 0, 1
    assert terms['invariance'].item() == pytest.approx(0.5)
    # variances 2, 0 and 2, 2: only the constant dimension is below 1
    assert terms['variance'].item() == pytest.approx((1 - 0.01) / 4)
    # covariances 0 and 2 off the diagonal: 2 * 2^2 / 2 for the second view
    assert terms['covariance'].item() == pytest.approx(4.0)


@pytest.mark.parametrize('shape', [(7, 5), (4, 9)], ids=['N>D', 'N<D'])
def test_two_views_are_the_official_loss(shape):
    x, y = raw(*shape), raw(*shape, seed=1) * 0.5
    expected = official(x, y)
    for name, value in vicreg_terms(torch.stack([x, y])).items():
        torch.testing.assert_close(value, expected[name])
    losses = VICRegLoss(25, 25, 1)(torch.stack([x, y]))
    total = 25 * expected['invariance'] + 25 * expected['variance']
    total = total + expected['covariance']
    torch.testing.assert_close(sum(losses.values()), total)


def test_more_views_are_the_mean_over_pairs():
    views = raw(4, 6, 5)
    pairs = [official(views[i], views[j]) for j in range(4) for i in range(j)]
    for name, value in vicreg_terms(views).items():
        torch.testing.assert_close(value, sum(p[name] for p in pairs) / len(pairs))


def test_order_of_images_views_and_a_shift_do_not_matter():
    views = raw(3, 6, 5)
    expected = vicreg_terms(views)
    for same in (views[:, torch.randperm(6)], views.flip(0), views + raw(5)):
        for name, value in vicreg_terms(same).items():
            torch.testing.assert_close(value, expected[name])


def test_gradient_is_finite_even_where_all_embeddings_agree():
    views = torch.ones(2, 4, 3, requires_grad=True)
    sum(VICRegLoss()(views).values()).backward()
    assert views.grad.isfinite().all()
    views = raw(2, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: sum(vicreg_terms(z).values()), views)


def test_float32_under_autocast():
    views = raw(2, 6, 5).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        losses = VICRegLoss()(views)
    expected = VICRegLoss()(views.float())
    for name, value in losses.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def value_and_gradient(views, sizes):
    if dist.is_initialized():
        views = views.split(sizes, dim=1)[dist.get_rank()]
    views = views.clone().requires_grad_()
    terms = VICRegLoss()(views)
    sum(terms.values()).backward()
    return [term.detach() for term in terms.values()], views.grad


@pytest.mark.dist
def test_two_processes_equal_the_concatenated_batch():
    views, sizes = raw(2, 6, 4), (4, 2)
    expected, gradient = value_and_gradient(views, sizes)
    found = gloo.run(value_and_gradient, views, sizes)
    for rank, (values, part) in enumerate(found):
        torch.testing.assert_close(values, expected)
        # a rank receives world_size times its share, which DDP averages
        torch.testing.assert_close(part / 2, gradient.split(sizes, dim=1)[rank])


def test_errors():
    assert isinstance(MODELS.build({'type': 'msbreg_mm.VICRegLoss'}), VICRegLoss)
    with pytest.raises(ValueError, match=r'at least 2 of each, got .*\(1, 4, 3\)'):
        vicreg_terms(raw(1, 4, 3))
    with pytest.raises(ValueError, match=r'at least 2 of each, got .*\(2, 1, 3\)'):
        vicreg_terms(raw(2, 1, 3))
    with pytest.raises(ValueError, match=r'embeddings must have shape.*\(4, 3\)'):
        vicreg_terms(raw(4, 3))
    with pytest.raises(ValueError, match=r'covariance_weight of VICRegLoss.*-1'):
        VICRegLoss(covariance_weight=-1)
