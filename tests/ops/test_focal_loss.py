"""Focal losses against hand-computed values and the derivatives of autograd."""

import math

import pytest
import torch
import torchvision
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss

LABELS = torch.tensor([0, 2, 3, 1])  # 3 is background


def logits(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(4, 3, generator=generator, dtype=torch.float64).to(dtype)


def reference(x, labels, gamma, alpha):
    """torchvision's sigmoid focal loss, which takes one-hot labels."""
    target = torch.nn.functional.one_hot(labels, 4)[:, :3].to(x.dtype)
    return torchvision.ops.sigmoid_focal_loss(x, target, alpha, gamma)


def softmax_reference(x, labels, gamma, alpha):
    """Equation 5 of the paper, one row at a time."""
    losses = []
    for row, label in zip(x, labels.tolist(), strict=True):
        log_p = row.log_softmax(0)[label]
        losses.append(-alpha * (1 - log_p.exp()) ** gamma * log_p)
    return torch.stack(losses)


def test_sigmoid_by_hand(device):
    # At a logit of 0 both classes have probability 1/2.
    x = torch.zeros(1, 2, device=device)
    loss = sigmoid_focal_loss(x, LABELS[:1].to(device), 2.0, 0.25, None, 'none')
    expected = torch.tensor([[0.25 / 4, 0.75 / 4]], device=device) * math.log(2)
    torch.testing.assert_close(loss, expected)


def test_softmax_by_hand(device):
    x = torch.zeros(1, 2, device=device)
    loss = softmax_focal_loss(x, LABELS[:1].to(device), 2.0, 0.25, None, 'none')
    expected = torch.tensor([0.25 / 4 * math.log(2)], device=device)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
@pytest.mark.parametrize('alpha', [0.25, 0.6])
@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_sigmoid_agrees_with_torchvision(device, gamma, alpha, reduction):
    x = logits().to(device).requires_grad_()
    expected = reference(x, LABELS.to(device), gamma, alpha)
    if reduction == 'mean':
        expected = expected.sum() / len(x)  # mmcv divides by rows, not elements
    elif reduction == 'sum':
        expected = expected.sum()
    weights = torch.rand_like(expected)
    (gradient,) = torch.autograd.grad((expected * weights).sum(), x)

    loss = sigmoid_focal_loss(x, LABELS.to(device), gamma, alpha, None, reduction)
    (loss * weights).sum().backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(x.grad, gradient)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_softmax_agrees_with_autograd(device, gamma):
    x = logits().to(device).requires_grad_()
    labels = LABELS.clamp(max=2).to(device)
    expected = softmax_reference(x, labels, gamma, 0.3).sum() / len(x)
    (gradient,) = torch.autograd.grad(expected, x)
    loss = softmax_focal_loss(x, labels, gamma, 0.3, None, 'mean')
    loss.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(x.grad, gradient)


def test_without_focus_sigmoid_is_half_the_cross_entropy():
    x, target = logits(), torch.nn.functional.one_hot(LABELS, 4)[:, :3].double()
    loss = sigmoid_focal_loss(x, LABELS, 0.0, 0.5, None, 'none')
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        x, target, reduction='none'
    )
    torch.testing.assert_close(2 * loss, entropy)


def test_background_pushes_every_class_down():
    x = logits().requires_grad_()
    sigmoid_focal_loss(x, torch.full((4,), 3), 2.0, 0.25, None, 'sum').backward()
    assert (x.grad > 0).all()


# mmcv's softmax focal loss cannot go backward without a reduction.
def test_class_weights_scale_the_rows_of_their_label():
    weight = torch.tensor([2.0, 3, 5], dtype=torch.float64)
    for function, rows in (
        (sigmoid_focal_loss, [2, 5, 1, 3]),  # background weighs 1
        (softmax_focal_loss, [2, 5, 5, 3]),
    ):
        labels = LABELS if function is sigmoid_focal_loss else LABELS.clamp(max=2)
        x = logits().requires_grad_()
        loss = function(x, labels, 2.0, 0.25, weight, 'sum')
        (gradient,) = torch.autograd.grad(loss, x)
        expected = 0
        for i, factor in enumerate(rows):
            row = slice(i, i + 1)
            expected += factor * function(x[row], labels[row], 2.0, 0.25, None, 'sum')
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(gradient, torch.autograd.grad(expected, x)[0])


def test_softmax_ignores_negative_labels():
    x = logits().requires_grad_()
    labels = torch.tensor([-1, 0, -1, 1])
    loss = softmax_focal_loss(x, labels, 2.0, 0.25, None, 'none')
    assert loss.nonzero().flatten().tolist() == [1, 3]
    softmax_focal_loss(x, labels, 2.0, 0.25, None, 'sum').backward()
    assert not x.grad[[0, 2]].any()
    assert x.grad[[1, 3]].all()


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_extreme_logits_stay_finite(gamma):
    x = torch.tensor([[500.0, -500, 500], [-500, 500, -500]], requires_grad=True)
    for function in (sigmoid_focal_loss, softmax_focal_loss):
        x.grad = None
        loss = function(x, torch.tensor([0, 0]), gamma, 0.25, None, 'sum')
        loss.backward()
        assert loss.isfinite()
        assert x.grad.isfinite().all()
    # A confident mistake costs its logit: the logarithm does not saturate.
    loss = sigmoid_focal_loss(x, torch.tensor([0, 0]), 2.0, 0.25, None, 'none')
    torch.testing.assert_close(loss[1, 0], torch.tensor(125.0))


@pytest.mark.parametrize('function', [sigmoid_focal_loss, softmax_focal_loss])
def test_half_precision(device, half, function):
    labels = LABELS.clamp(max=2).to(device)
    results = []
    for dtype in (half, torch.float32):
        x = logits(half).to(device, dtype, copy=True).requires_grad_()
        loss = function(x, labels, 2.0, 0.25, None, 'sum')
        assert loss.dtype == dtype
        loss.backward()
        results.append((loss.detach().float(), x.grad.float()))
    # mmcv computes the softmax itself in the type of the logits.
    torch.testing.assert_close(*results, rtol=0.05, atol=0.01)


@pytest.mark.parametrize('function', [sigmoid_focal_loss, softmax_focal_loss])
def test_no_rows_and_non_contiguous_rows(device, function):
    empty = torch.zeros(0, 3, device=device, requires_grad=True)
    function(empty, LABELS[:0].to(device), 2.0, 0.25, None, 'sum').backward()
    assert empty.grad.shape == (0, 3)
    x, labels = logits().to(device), LABELS.clamp(max=2).to(device)
    expected = function(x, labels, 2.0, 0.25, None, 'none')
    strided = x.T.contiguous().T
    torch.testing.assert_close(
        function(strided, labels, 2.0, 0.25, None, 'none'), expected
    )


@pytest.mark.parametrize(
    ('function', 'label'), [(sigmoid_focal_loss, 4), (softmax_focal_loss, 3)]
)
def test_a_label_beyond_the_classes_is_an_error(function, label):
    with pytest.raises(
        ValueError, match=rf'3 classes got the label {label},.*num_classes'
    ):
        function(logits(), torch.tensor([0, 1, label, 0]))
