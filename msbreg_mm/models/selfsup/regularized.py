"""Adds MSBReg's regularisers to any self-supervised algorithm, by config."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from msbreg_mm.models.heads.regularizer import EmbeddingRegularizer
from msbreg_mm.registry import MODELS

from .capture import EmbeddingSource, captured, find_module, find_source, stack_views
from .view_pairs import pairwise_loss

_SINGULAR_VALUE = {'type': 'msbreg_mm.SingularValueLoss'}
_BROWNIAN = {'type': 'msbreg_mm.BrownianDiffusiveLoss'}


class RegularizedMixin(BaseSelfSupervisor):
    """The part of a regularised algorithm that its own class lacks."""

    regularizer: EmbeddingRegularizer
    embedding_source: EmbeddingSource
    num_target_views: int | None
    all_pairs: bool

    def loss(
        self, inputs: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any
    ) -> dict[str, Tensor]:
        """Compute the algorithm's own losses and the regularisers'.

        Args:
            inputs: K views, each (N, 3, H_k, W_k), normalised.
            data_samples: Handed on.
            kwargs: Handed on.

        Returns:
            The algorithm's terms as they are, and ``loss_centroid``,
            ``loss_singular_value`` and ``loss_brownian`` where they are on.

        Raises:
            ValueError: If the number of views is wrong or no embeddings are found.
            FloatingPointError: If a regulariser is not finite.
        """
        source = self.embedding_source
        num_views, num_images = self._check_views(inputs)
        with captured(self, source.online, source.target) as (online, target):
            if self.all_pairs:
                losses = pairwise_loss(
                    self,
                    lambda pair: super(RegularizedMixin, self).loss(
                        pair, data_samples, **kwargs
                    ),
                    inputs,
                    self.num_target_views or num_views,
                )
            else:
                losses = super().loss(inputs, data_samples, **kwargs)
        where = f'of {type(self).__name__}'
        z = stack_views(
            online,
            num_images,
            f'{source.online!r} {where}',
            source,
            trained=torch.is_grad_enabled(),
        )
        t = z
        if target and 'centroid' in self.regularizer.active_terms():
            t = stack_views(
                target, num_images, f'{source.target!r} {where}', source, trained=False
            )
        extra = self.regularizer.loss(z, t[: self.num_target_views])
        if both := losses.keys() & extra.keys():
            raise ValueError(
                f'{type(self).__name__} already has {sorted(both)}; regularise it in '
                'its own config'
            )
        return {**losses, **extra}

    def _check_views(self, inputs: Sequence[Tensor] | Tensor) -> tuple[int, int]:
        """Return the numbers of views and of images; most methods check neither."""
        views = [inputs] if isinstance(inputs, Tensor) else inputs
        needs = self.embedding_source.num_views
        if needs is not None:
            wanted = needs(self)
            fits = len(views) >= wanted if self.all_pairs else len(views) == wanted
            if not fits:
                pairs = '' if not self.embedding_source.pairwise else ', or all_pairs='
                raise ValueError(
                    f'{type(self).__name__} takes {"at least " * self.all_pairs}'
                    f'{wanted} views, got {len(views)}; set num_views of the pipeline'
                    + (f'{pairs}True of Regularized' if pairs else '')
                )
        return len(views), len(views[0])


@MODELS.register_module(name='Regularized')
def build_regularized(
    algorithm: dict,
    singular_value: dict | None = _SINGULAR_VALUE,
    brownian: dict | None = _BROWNIAN,
    centroid: dict | None = None,
    module: str | None = None,
    num_target_views: int | None = None,
    all_pairs: bool = False,
    data_preprocessor: dict | nn.Module | None = None,
) -> BaseSelfSupervisor:
    """Build an algorithm whose loss also holds MSBReg's regularisers.

    The result is an instance of a subclass of the algorithm's class, with the
    same parameters and buffers under the same names, so that hooks, checkpoints
    and transfer treat it as the algorithm itself. The embeddings are the outputs
    that the algorithm's projector makes with a gradient while it computes its own
    loss, so that nothing is computed twice. With no term on, or all weights 0, it
    trains bit for bit as the algorithm alone. ``docs/regularized.md`` has a table
    of what is read from each method.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552, adds the regularisers to other methods; how is
    this project's choice, as are the default weights.

    Args:
        algorithm: Config of the algorithm: mmpretrain's BYOL, SimSiam,
            BarlowTwins, SimCLR, MoCo, MoCoV3, SwAV, DenseCL, or
            ``msbreg_mm.VICReg``; with ``module`` any other.
        singular_value: Config of a loss on the online embeddings, or None.
        brownian: Config of a loss on the online embeddings, or None.
        centroid: Config of a loss that attracts the online embeddings to the
            centroid of the target network's, or, in a method without one, of the
            online ones with stopped gradient. Defaults to None, as every method
            brings an attraction of its own.
        module: Name of the module that puts out the online embeddings (N, D),
            e.g. ``'head.predictor'``; by default the projector ``'neck'``.
        num_target_views: How many leading views the centroid is taken over, and
            of which one must be in each of ``all_pairs``; defaults to all.
        all_pairs: Average a two-view loss over all pairs of K ≥ 2 views, which
            are embedded once each (BYOL, SimSiam, BarlowTwins, MoCoV3).
        data_preprocessor: Of the algorithm, where its config has none; mmengine's
            runner passes it here.

    Returns:
        The algorithm, with its terms in ``regularizer`` (no parameters).

    Raises:
        ValueError: If the embeddings of the algorithm are not known and
            ``module`` is not set or not there, or an option does not fit it.
        TypeError: If ``algorithm`` is not a self-supervised algorithm.
    """
    base = _find_class(algorithm)
    source = find_source(base, module)
    _check_options(base.__name__, source, centroid, num_target_views, all_pairs)
    cfg = {**algorithm, 'type': _subclass(base)}
    if data_preprocessor is not None:
        cfg.setdefault('data_preprocessor', data_preprocessor)
    model = MMPRETRAIN_MODELS.build(cfg)
    for name in (source.online, source.target):
        if name is not None:
            find_module(model, name)
    model.embedding_source = source
    model.num_target_views = num_target_views
    model.all_pairs = all_pairs
    model.regularizer = EmbeddingRegularizer(singular_value, brownian, centroid)
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
    centroid: dict | None,
    num_target_views: int | None,
    all_pairs: bool,
) -> None:
    if centroid is not None and source.online_views == 1:
        raise ValueError(
            f'{name} embeds one view per image with a gradient, so there are no views '
            'to average: set centroid=None'
        )
    if num_target_views is not None and num_target_views < 1:
        raise ValueError(f'num_target_views must be at least 1, got {num_target_views}')
    if all_pairs and not source.pairwise:
        raise ValueError(
            f'all_pairs is not for {name}: its loss would embed each view anew, or '
            'takes more than two views by itself; see docs/regularized.md'
        )
