"""Where self-supervised methods have their embeddings, and how they are read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmpretrain.models import selfsup
from torch import Tensor, nn

from msbreg_mm.models.selfsup.vicreg import VICReg
from msbreg_mm.utils.errors import OptionError


@dataclass(frozen=True)
class EmbeddingSource:
    """Where a method embeds its views.

    Attributes:
        online: Name of the module that puts out the online embeddings (N, D),
            one view or several views of a batch per call.
        target: Name of the module that puts out the target network's
            embeddings, or None if the method has no target network of which all
            views can be read.
        num_views: Returns how many views a model takes; None for any number.
        online_views: How many of them the online network embeds; None for all.
        interleaved: Whether a batch holds the views of an image next to each
            other; otherwise one view of all images follows the other.
        pairwise: Whether the method's loss on several pairs of views needs each
            view's embedding only once (the method passes views on as it gets
            them).
    """

    online: str = 'neck'
    target: str | None = None
    num_views: Callable[[Any], int] | None = None
    online_views: int | None = None
    interleaved: bool = False
    pairwise: bool = False


def _two(model: Any) -> int:
    return 2


def _num_crops(model: Any) -> int:
    return sum(model.head.loss_module.num_crops)


# MoCo and DenseCL embed one view with a gradient; the other goes, shuffled over
# the processes, through the key encoder.
SOURCES: dict[type, EmbeddingSource] = {
    selfsup.BYOL: EmbeddingSource(target='target_net', num_views=_two, pairwise=True),
    selfsup.SimSiam: EmbeddingSource(num_views=_two, pairwise=True),
    selfsup.BarlowTwins: EmbeddingSource(num_views=_two, pairwise=True),
    selfsup.SimCLR: EmbeddingSource(num_views=_two, interleaved=True),
    selfsup.MoCo: EmbeddingSource(num_views=_two, online_views=1),
    selfsup.DenseCL: EmbeddingSource(num_views=_two, online_views=1),
    selfsup.MoCoV3: EmbeddingSource(
        target='momentum_encoder', num_views=_two, pairwise=True
    ),
    selfsup.SwAV: EmbeddingSource(num_views=_num_crops),
    VICReg: EmbeddingSource(),
}


def find_source(algorithm: type, module: str | None) -> EmbeddingSource:
    """Look up where an algorithm has its embeddings.

    Args:
        algorithm: Class of the algorithm.
        module: Name of the module that puts out the online embeddings, instead
            of the known one; needed for algorithms that are not known.

    Returns:
        The source of the nearest known class, with ``module`` in place.

    Raises:
        OptionError: If the class is not known and ``module`` is None.
    """
    known = next((SOURCES[c] for c in algorithm.__mro__ if c in SOURCES), None)
    if known is None:
        if module is None:
            raise OptionError(
                f'Regularized knows no embedding (one vector per image and view) of '
                f'{algorithm.__name__}; methods that reconstruct masked images or '
                'tokens have none. If this one has, name the module that puts it out '
                f"as (N, D), e.g. module='neck'. Known: {[c.__name__ for c in SOURCES]}"
            )
        return EmbeddingSource(online=module)
    if module is None:
        return known
    return EmbeddingSource(**{**vars(known), 'online': module})


def find_module(model: nn.Module, name: str) -> nn.Module:
    """Return the submodule called ``name``.

    Raises:
        OptionError: If there is none.
    """
    try:
        found = model.get_submodule(name)
    except AttributeError:
        found = None
    if not isinstance(found, nn.Module):
        raise OptionError(
            f'{type(model).__name__} has no module {name!r} to read embeddings from; '
            f'it has {[child for child, _ in model.named_children()]}'
        )
    return found


@contextmanager
def captured(model: nn.Module, *names: str | None) -> Iterator[list[list[Any]]]:
    """Collect what modules put out while the context is open.

    The hooks are attached only for that time, so that copies of the modules and
    the recomputation of checkpointed activations are not seen.

    Args:
        model: Model that has the modules.
        names: Names of the modules; None captures nothing.

    Yields:
        One list of outputs per name.
    """
    outputs: list[list[Any]] = [[] for _ in names]
    with ExitStack() as stack:
        for name, found in zip(names, outputs, strict=True):
            if name is not None:
                stack.enter_context(_attached(find_module(model, name), found))
        yield outputs


@contextmanager
def _attached(module: nn.Module, found: list[Any]) -> Iterator[None]:
    handle = module.register_forward_hook(lambda _, args, output: found.append(output))
    try:
        yield
    finally:
        handle.remove()


def stack_views(
    outputs: Sequence[Any],
    num_images: int,
    where: str,
    source: EmbeddingSource,
    trained: bool,
) -> Tensor:
    """Sort the outputs of a module by view.

    Args:
        outputs: Its outputs in the order of the calls, each (k N, D) or a tuple
            that starts with that. Repetitions of one tensor count once.
        num_images: N, the images of a view.
        where: What the outputs are, for messages, e.g. ``"'neck' of BYOL"``.
        source: Tells the layout of a batch of several views.
        trained: Leave out outputs without a gradient (keys, targets).

    Returns:
        Embeddings (K, N, D).

    Raises:
        OptionError: If there is no output, or one has another shape.
    """
    batches: list[Tensor] = []
    for output in outputs:
        batch = output[0] if isinstance(output, (tuple, list)) else output
        shape = tuple(getattr(batch, 'shape', ()))
        if len(shape) != 2 or shape[0] % num_images:
            raise OptionError(
                f'Regularized needs embeddings (k x {num_images} images, D) from '
                f'{where}, got {shape or type(batch).__name__}; name a module that '
                'puts out one vector per image and view: module=...'
            )
        repeated = any(batch is other for other in batches)
        if not repeated and (batch.requires_grad or not trained):
            batches.append(batch)
    if not batches:
        raise OptionError(
            f'Regularized found no embeddings: {where} was not called, or not with a '
            'gradient, while the loss was computed; name another module: module=...'
        )
    if source.interleaved:
        views = [b.unflatten(0, (num_images, -1)).transpose(0, 1) for b in batches]
    else:
        views = [b.unflatten(0, (-1, num_images)) for b in batches]
    return torch.cat(views)
