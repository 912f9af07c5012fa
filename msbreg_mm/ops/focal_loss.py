"""Sigmoid and softmax focal loss, as ``mmcv._ext`` offers them.

Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, arXiv
1708.02002, equation 5: ``-alpha (1 - p)^gamma log p``, with p the probability of
what is true. Outputs are written into tensors that the caller has made.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from msbreg_mm.ops.precision import widen


def _check_labels(target: Tensor, num_classes: int, limit: int) -> None:
    if target.numel() and target.max() > limit:
        raise ValueError(
            f'focal loss of {num_classes} classes got the label {int(target.max())}, '
            f'the greatest valid one is {limit}: check num_classes of the head against '
            "the data set's classes"
        )


def _label_weight(weight: Tensor, target: Tensor) -> Tensor:
    """Return the weight of each label, 1 for background and without weights."""
    if not weight.numel():
        return weight.new_ones(len(target))
    inside = (target >= 0) & (target < len(weight))
    chosen = weight[target.clamp(0, len(weight) - 1)]
    return torch.where(inside, chosen, 1)


def _sigmoid_terms(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the logit of what is true, its sign and its factor, each (N, C)."""
    num_classes = input.shape[1]
    _check_labels(target, num_classes, limit=num_classes)  # which is background
    logit, weight = widen(input, weight)
    classes = torch.arange(num_classes, device=input.device)
    positive = (target[:, None] == classes).to(logit.dtype)
    sign = 2 * positive - 1
    factor = (1 - alpha) + (2 * alpha - 1) * positive
    return logit * sign, sign, factor * _label_weight(weight, target)[:, None]


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the focal loss of one binary decision per class into ``output``.

    Args:
        input: Logits.
        target: Labels, int64; the class of any other label than 0 to C - 1 is none.
        weight: Weight of each label's row, or empty for 1; other labels weigh 1.
        output: Output.
        gamma: At least 0.
        alpha: Weight of the true class, in [0, 1]; the other ones weigh 1 - alpha.

    Shape:
        - input, output: ``(N, C)``; target: ``(N,)``; weight: ``(C,)`` or ``(0,)``.

    Raises:
        ValueError: If a label is greater than C.
    """
    logit, _, factor = _sigmoid_terms(input, target, weight, alpha)
    # The logarithm of the sigmoid is exact where the probability underflows.
    output.copy_(-factor * torch.sigmoid(-logit).pow(gamma) * F.logsigmoid(logit))


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of :func:`sigmoid_focal_loss_forward` by the logits.

    The arguments are those of the forward; ``grad_input`` is its output.
    """
    logit, sign, factor = _sigmoid_terms(input, target, weight, alpha)
    wrong = torch.sigmoid(-logit)
    slope = gamma * torch.sigmoid(logit) * F.logsigmoid(logit) - wrong
    grad_input.copy_(factor * sign * wrong.pow(gamma) * slope)


def softmax_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the focal loss of one decision among all classes into ``output``.

    Args:
        input: Probabilities, the softmax of the logits.
        target: Labels, int64, at most C - 1; the loss of negative ones is 0.
        weight: Weight of each label, or empty for 1.
        output: Output.
        gamma: At least 0.
        alpha: Factor of the loss.

    Shape:
        - input: ``(N, C)``; target, output: ``(N,)``; weight: ``(C,)`` or ``(0,)``.

    Raises:
        ValueError: If a label is greater than C - 1.
    """
    _check_labels(target, input.shape[1], limit=input.shape[1] - 1)
    softmax, weight = widen(input, weight)
    p = softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]
    tiny = torch.finfo(p.dtype).tiny
    loss = -alpha * (1 - p).pow(gamma) * p.clamp(min=tiny).log()
    output.copy_((target >= 0) * _label_weight(weight, target) * loss)


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of :func:`softmax_focal_loss_forward` by the logits.

    The arguments are those of the forward; ``grad_input`` has the shape of
    ``input``, and ``buff``, ``(N,)``, is scratch space of mmcv's kernel.
    """
    softmax, weight = widen(input, weight)
    label = target.clamp(min=0)[:, None]
    p = softmax.gather(1, label)
    tiny = torch.finfo(p.dtype).tiny
    wrong = (1 - p).clamp(min=tiny)
    slope = gamma * wrong.pow(gamma - 1) * p * p.clamp(min=tiny).log()
    factor = _label_weight(weight, target) * (target >= 0) * alpha
    by_logit = (slope - wrong.pow(gamma)) * factor[:, None]
    onehot = torch.zeros_like(softmax).scatter_(1, label, 1)
    grad_input.copy_(by_logit * (onehot - softmax))
