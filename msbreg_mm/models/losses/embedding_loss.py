"""What the losses on embeddings share: checks, weight and precision."""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from msbreg_mm.utils.errors import OptionError


def check_embeddings(name: str, embeddings: Tensor) -> None:
    """Check that ``embeddings`` is a floating tensor (K, N, D), nowhere empty.

    Args:
        name: Name of the tensor, for the message.
        embeddings: Tensor to check.

    Raises:
        ValueError: If the number of dimensions, a size or the dtype is wrong.
    """
    shape = tuple(embeddings.shape)
    if embeddings.dim() != 3 or 0 in shape:
        raise ValueError(
            f'{name} must have shape (views, images, dimensions), each at least 1, '
            f'got {shape}; stack the views of one batch along a new first axis'
        )
    if not embeddings.is_floating_point():
        raise ValueError(f'{name} must be floating point, got {embeddings.dtype}')


def at_least_float32(tensor: Tensor) -> Tensor:
    """Cast half precision to float32 and leave float32 and float64 alone."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def check_finite(losses: Mapping[str, Tensor], **embeddings: Tensor) -> None:
    """Stop with the names of the loss terms that are NaN or infinite.

    Reads one flag from the device per call; mmengine reads every logged loss at
    each iteration anyway. The embeddings are searched only after a failure. As
    the losses are equal on all ranks, all ranks stop together.

    Args:
        losses: Scalar loss terms by name.
        embeddings: Tensors (K, N, D) by name, e.g. ``online=z, target=t``.

    Raises:
        FloatingPointError: If a term is not finite. It names the terms and the
            embeddings and views at fault.
    """
    if bool(torch.stack(tuple(losses.values())).detach().isfinite().all()):
        return
    terms = [name for name, loss in losses.items() if not bool(loss.isfinite())]
    faults = []
    for name, tensor in embeddings.items():
        bad = (~tensor.detach().isfinite()).any(dim=-1)
        if views := bad.any(dim=1).nonzero().flatten().tolist():
            faults.append(
                f'{name} embeddings hold NaN or infinity in {int(bad.sum())} of '
                f'{bad.numel()} vectors (views {views})'
            )
    raise FloatingPointError(
        f'{", ".join(terms)} is not finite: '
        + (
            '; '.join(faults)
            or 'the embeddings of this rank are finite, look '
            'at the predictor and the other ranks'
        )
        + '. Lower the learning rate, clip gradients, or train with bfloat16 '
        'instead of float16, then resume from the last checkpoint'
    )


def check_form(owner: str, form: str, forms: tuple[str, ...]) -> None:
    """Check that ``form`` is one of ``forms``.

    Raises:
        OptionError: If it is not.
    """
    if form not in forms:
        raise OptionError(f'form of {owner} must be one of {forms}, got {form!r}')


class EmbeddingLoss(nn.Module):
    """Base of the losses: a weight, and full precision under AMP.

    Attributes:
        reads: Names of the embeddings that ``forward`` takes when the loss is one of
            the terms of :class:`msbreg_mm.models.heads.EmbeddingTerms`.

    Args:
        loss_weight: Factor of the loss, at least 0.

    Raises:
        OptionError: If ``loss_weight`` is negative or not finite.
    """

    reads: ClassVar[tuple[str, ...]] = ('online',)

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        if not (math.isfinite(loss_weight) and loss_weight >= 0):
            raise OptionError(
                f'loss_weight of {type(self).__name__} must be a finite number of at '
                f'least 0, got {loss_weight}; to switch the term off set it to None '
                'in terms'
            )
        self.loss_weight = loss_weight

    def weighted(
        self, term: Callable[..., Tensor], *embeddings: Tensor, **options: str
    ) -> Tensor:
        """Return ``loss_weight * term(*embeddings, **options)`` in full precision.

        Args:
            term: Pure function of embeddings that returns a scalar.
            embeddings: Its tensors, cast to float32 (float64 is kept).
            options: Its other arguments.
        """
        # A half-precision Gram matrix would lose the small singular values.
        with torch.autocast(embeddings[0].device.type, enabled=False):
            full = [at_least_float32(tensor) for tensor in embeddings]
            return self.loss_weight * term(*full, **options)

    def extra_repr(self) -> str:
        """Show weight and options in ``print(model)``."""
        options = {k: v for k, v in vars(self).items() if k[0] != '_'}
        options.pop('training')
        return ', '.join(f'{name}={value!r}' for name, value in options.items())
