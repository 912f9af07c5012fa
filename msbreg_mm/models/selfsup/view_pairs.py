"""A two-view loss on all pairs of many views, each view embedded once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from typing import Any

import torch
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn


def pairwise_loss(
    model: nn.Module,
    loss: Callable[[list[Tensor]], dict[str, Tensor]],
    views: Sequence[Tensor],
    num_first: int,
) -> dict[str, Tensor]:
    """Average a method's loss over pairs of views.

    The encoders (``backbone``, ``neck`` and every averaged copy of them) remember
    what they made of each view while the pairs are computed, and an averaged copy
    moves once. So the step costs K views and K (K - 1) / 2 heads, and batch
    statistics and target see what they would see with two views.

    Args:
        model: Method that hands the views on as it gets them.
        loss: Its own loss on two views.
        views: K views, each (N, 3, H_k, W_k).
        num_first: The first view of a pair is one of the leading ``num_first``;
            K for all pairs.

    Returns:
        The terms of the loss, each averaged over the pairs.
    """
    pairs = [p for p in combinations(range(len(views)), 2) if p[0] < num_first]
    with ExitStack() as stack:
        for module in model.children():
            if isinstance(module, BaseAveragedModel):
                stack.enter_context(_replaced(module, 'forward', _remember))
                stack.enter_context(_replaced(module, 'update_parameters', _once))
        for name in ('backbone', 'neck'):
            module = getattr(model, name)
            stack.enter_context(_replaced(module, 'forward', _remember))
        terms = [loss([views[i], views[j]]) for i, j in pairs]
    return {key: torch.stack([t[key] for t in terms]).mean(0) for key in terms[0]}


@contextmanager
def _replaced(module: nn.Module, name: str, change: Callable) -> Iterator[None]:
    """Change a method of one object for the time of the context."""
    before = vars(module).get(name)
    setattr(module, name, change(getattr(module, name)))
    try:
        yield
    finally:
        delattr(module, name)
        if before is not None:
            setattr(module, name, before)


def _remember(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # The argument is kept with its result, so that its id is not given again.
    results: dict[int, tuple[Any, Any]] = {}

    def remembered(argument: Any) -> Any:
        key = id(argument)
        if key not in results:
            results[key] = (argument, function(argument))
        return results[key][1]

    return remembered


def _once(function: Callable[[Any], None]) -> Callable[[Any], None]:
    called = False

    def once(argument: Any) -> None:
        nonlocal called
        if not called:
            function(argument)
        called = True

    return once
