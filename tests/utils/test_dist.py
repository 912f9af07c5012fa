import gloo
import pytest
import torch
from torch import distributed as dist
from torch import nn

from msbreg_mm.utils.dist import all_reduce_sum, global_count, global_mean

# Ranks with unequal batches: rank 0 holds 2 rows, rank 1 holds 3.
ROWS = torch.tensor([[1.0, 2.0], [3.0, -4.0], [0.5, 6.0], [-7.0, 8.0], [9.0, 1.5]])
SPLIT = (2, 3)


def test_one_process_leaves_values_alone() -> None:
    x = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    assert all_reduce_sum(x) is x
    assert global_count(3, x) == 3
    assert global_mean(x) == 3
    assert not global_count(3, x).requires_grad


def test_global_count_keeps_dtype_and_device() -> None:
    count = global_count(5, torch.zeros(2, dtype=torch.float64))
    assert count.dtype == torch.float64


def _reduce() -> dict:
    rank = dist.get_rank()
    x = ROWS.split(SPLIT)[rank].clone().requires_grad_()
    before = x.detach().clone()
    total = all_reduce_sum(x.sum(dim=0))
    total.square().sum().backward()
    out = {'sum': total.detach(), 'sum_grad': x.grad.clone()}
    assert torch.equal(x.detach(), before)
    x.grad = None
    mean = global_mean(x.square())
    mean.backward()
    out['mean'], out['mean_grad'] = mean.detach(), x.grad.clone()
    out['count'] = global_count(len(x), x)
    # A gradient that is no contiguous tensor: backward of expand().
    y = torch.ones(3, requires_grad=True)
    all_reduce_sum(y).sum().backward()
    out['ones_grad'] = y.grad
    return out


@pytest.mark.dist
def test_two_processes_follow_the_convention() -> None:
    ranks = gloo.run(_reduce)
    x = ROWS.clone().requires_grad_()
    x.sum(dim=0).square().sum().backward()
    whole_mean = ROWS.square().mean()
    for rank, out in enumerate(ranks):
        torch.testing.assert_close(out['sum'], ROWS.sum(dim=0))
        # W = 2 times the share of this rank: DDP's mean divides it again.
        torch.testing.assert_close(out['sum_grad'], 2 * x.grad.split(SPLIT)[rank])
        torch.testing.assert_close(out['mean'], whole_mean)
        share = 2 * ROWS.split(SPLIT)[rank] / ROWS.numel()
        torch.testing.assert_close(out['mean_grad'], 2 * share)
        assert out['count'] == 5
        assert out['ones_grad'].tolist() == [2.0, 2.0, 2.0]


def _ddp_gradient() -> torch.Tensor:
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    rows = ROWS.split(SPLIT)[dist.get_rank()]
    global_mean(model(rows).square()).backward()
    return model.module.weight.grad


@pytest.mark.dist
def test_ddp_average_is_the_gradient_of_the_concatenated_batch() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(2, 2)
    linear(ROWS).square().mean().backward()
    for gradient in gloo.run(_ddp_gradient):
        torch.testing.assert_close(gradient, linear.weight.grad)


def _fail_on_one() -> None:
    if dist.get_rank() == 1:
        raise RuntimeError('rank 1 broke')


@pytest.mark.dist
def test_gloo_helper_reports_a_failing_rank() -> None:
    with pytest.raises(Exception, match='rank 1 broke'):
        gloo.run(_fail_on_one)
