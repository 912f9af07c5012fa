"""Adds MSBReg's regularisers to any self-supervised algorithm, by config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from msbreg_mm.models.heads.embedding_terms import (
    MSBREG_TERMS,
    TARGET,
    EmbeddingTerms,
    with_old_keywords,
)
from msbreg_mm.models.selfsup.capture import (
    EmbeddingSource,
    captured,
    find_module,
    find_source,
    stack_views,
)
from msbreg_mm.models.selfsup.view_pairs import pairwise_loss
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError

# Every method brings an attraction of its own.
_TERMS: dict[str, dict | None] = {**MSBREG_TERMS, 'centroid': None}


@dataclass(frozen=True)
class RegularizedOptions:
    """How an algorithm is regularised; see :func:`build_regularized`."""

    source: EmbeddingSource
    num_target_views: int | None
    all_pairs: bool


class RegularizedMixin(BaseSelfSupervisor):
    """The part of a regularised algorithm that its own class lacks.

    It adds two attributes and overrides one method; any other name could hide one
    of the algorithm's.
    """

    regularizer: EmbeddingTerms
    regularized: RegularizedOptions

    def loss(
        self, inputs: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any
    ) -> dict[str, Tensor]:
        """Compute the algorithm's own losses and the regularisers'.

        Args:
            inputs: K views, each (N, 3, H_k, W_k), normalised.
            data_samples: Handed on.
            kwargs: Handed on.

        Returns:
            The algorithm's terms as they are, and ``loss_<name>`` of each
            regulariser that is on.

        Raises:
            OptionError: If the number of views is wrong or no embeddings are found.
            FloatingPointError: If a regulariser is not finite.
        """
        options = self.regularized
        own_loss = super().loss
        num_views, num_images = _check_views(self, options, inputs)
        with captured(self, options.source.online, options.source.target) as found:
            if options.all_pairs:
                losses = pairwise_loss(
                    self,
                    lambda pair: own_loss(pair, data_samples, **kwargs),
                    inputs,
                    options.num_target_views or num_views,
                )
            else:
                losses = own_loss(inputs, data_samples, **kwargs)
        online, target = _stack(self, options, found, num_images)
        extra = self.regularizer.loss(online, target)
        if both := losses.keys() & extra.keys():
            raise OptionError(
                f'{type(self).__name__} already has {sorted(both)}; regularise it in '
                'its own config'
            )
        return {**losses, **extra}


def _stack(
    model: RegularizedMixin,
    options: RegularizedOptions,
    found: list[list[Any]],
    num_images: int,
) -> tuple[Tensor, Tensor | None]:
    """Return online and target embeddings; the latter only if they are needed."""
    source, owner = options.source, f'of {type(model).__name__}'
    where = f'{source.online!r} {owner}'
    trained = torch.is_grad_enabled()
    online = stack_views(found[0], num_images, where, source, trained=trained)
    regularizer = model.regularizer
    if not {*regularizer.active_terms()} & {*regularizer.reading(TARGET)}:
        return online, None
    target = online
    if source.target is not None:
        where = f'{source.target!r} {owner}'
        target = stack_views(found[1], num_images, where, source, trained=False)
    return online, target[: options.num_target_views]


def _check_views(
    model: nn.Module, options: RegularizedOptions, inputs: Sequence[Tensor] | Tensor
) -> tuple[int, int]:
    """Return the numbers of views and images; most methods check neither."""
    views = [inputs] if isinstance(inputs, Tensor) else inputs
    source, count = options.source, len(views)
    needed = count if source.num_views is None else source.num_views(model)
    if count != needed and not (options.all_pairs and count > needed):
        least = 'at least ' if options.all_pairs else ''
        hint = ', or all_pairs=True of Regularized' if source.pairwise else ''
        raise OptionError(
            f'{type(model).__name__} takes {least}{needed} views, got {count}; set '
            f'num_views of the pipeline{hint}'
        )
    return count, len(views[0])


@MODELS.register_module(name='Regularized')
def build_regularized(
    algorithm: dict,
    terms: Mapping[str, dict | None] | None = None,
    module: str | None = None,
    num_target_views: int | None = None,
    all_pairs: bool = False,
    data_preprocessor: dict | nn.Module | None = None,
    **kwargs: Any,
) -> BaseSelfSupervisor:
    """Build an algorithm whose loss also holds MSBReg's regularisers.

    The result is an instance of a subclass of the algorithm's class, with the
    same parameters and buffers under the same names (a term may add its own), so
    that hooks, checkpoints and transfer treat it as the algorithm itself. The
    embeddings are the outputs that the algorithm's projector makes with a gradient
    while it computes its own loss, so that nothing is computed twice. With no term
    on, or all weights 0, it trains bit for bit as the algorithm alone.
    ``docs/regularized.md`` has a table of what is read from each method.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552, adds the regularisers to other methods; how is
    this project's choice, as are the default weights.

    Args:
        algorithm: Config of the algorithm: mmpretrain's BYOL, SimSiam,
            BarlowTwins, SimCLR, MoCo, MoCoV3, SwAV, DenseCL, or
            ``msbreg_mm.VICReg``; with ``module`` any other.
        terms: Name → config of a loss, or None, see
            :class:`msbreg_mm.models.heads.EmbeddingTerms`; by default
            ``singular_value`` and ``brownian``. Terms that read the target
            (``msbreg_mm.MultiviewCentroidLoss``) get the target network's
            embeddings, or, in a method without one, the online ones with stopped
            gradient.
        module: Name of the module that puts out the online embeddings (N, D),
            e.g. ``'head.predictor'``; by default the projector ``'neck'``.
        num_target_views: How many leading views the target's embeddings are of,
            and of which one must be in each of ``all_pairs``; defaults to all.
        all_pairs: Average a two-view loss over all pairs of K ≥ 2 views, which
            are embedded once each (BYOL, SimSiam, BarlowTwins, MoCoV3).
        data_preprocessor: Of the algorithm, where its config has none; mmengine's
            runner passes it here.
        kwargs: Single terms in the form of older configs, e.g. ``brownian=None``.

    Returns:
        The algorithm, with the terms in ``regularizer``.

    Raises:
        ValueError: If the embeddings of the algorithm are not known and
            ``module`` is not set or not there, or an option does not fit it.
        TypeError: If ``algorithm`` is not a self-supervised algorithm.
    """
    base = _find_class(algorithm)
    source = find_source(base, module)
    terms = _TERMS if terms is None else terms
    regularizer = EmbeddingTerms(with_old_keywords('Regularized', terms, kwargs))
    attracted = regularizer.reading(TARGET)
    _check_options(base.__name__, source, attracted, num_target_views, all_pairs)
    cfg = {**algorithm, 'type': _subclass(base)}
    if data_preprocessor is not None:
        cfg.setdefault('data_preprocessor', data_preprocessor)
    model = MMPRETRAIN_MODELS.build(cfg)
    for name in (source.online, source.target):
        if name is not None:
            find_module(model, name)
    model.regularized = RegularizedOptions(source, num_target_views, all_pairs)
    model.regularizer = regularizer
    return model


@cache
def _subclass(base: type) -> type:
    return type(f'Regularized{base.__name__}', (RegularizedMixin, base), {})


def _find_class(algorithm: dict) -> type:
    name = algorithm.get('type')
    found = MMPRETRAIN_MODELS.get(name) if isinstance(name, str) else name
    if not (isinstance(found, type) and issubclass(found, BaseSelfSupervisor)):
        raise TypeError(
            "algorithm of Regularized must be the config of one of mmpretrain's "
            "self-supervised algorithms, e.g. dict(type='BYOL', ...), got type="
            f'{name!r}'
        )
    return found


def _check_options(
    name: str,
    source: EmbeddingSource,
    attracted: list[str],
    num_target_views: int | None,
    all_pairs: bool,
) -> None:
    if attracted and source.online_views == 1:
        raise OptionError(
            f'{name} embeds one view per image with a gradient, so there are no views '
            f'to average: set terms=dict({attracted[0]}=None)'
        )
    if num_target_views is not None and num_target_views < 1:
        raise OptionError(
            f'num_target_views must be at least 1, got {num_target_views}'
        )
    if all_pairs and not source.pairwise:
        raise OptionError(
            f'all_pairs is not for {name}: its loss would embed each view anew, or '
            'takes more than two views by itself; see docs/regularized.md'
        )
