"""Named loss terms on embeddings: what MSBReg and every regularised method share."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.models.losses import at_least_float32, check_finite
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError

# MSBReg's terms; the choice is the project's, the weights are the losses' defaults.
MSBREG_TERMS: dict[str, dict] = {
    'centroid': {'type': 'msbreg_mm.MultiviewCentroidLoss'},
    'singular_value': {'type': 'msbreg_mm.SingularValueLoss'},
    'brownian': {'type': 'msbreg_mm.BrownianDiffusiveLoss'},
}
# What a term may read; see `EmbeddingLoss.reads`.
ONLINE, PREDICTION, TARGET = 'online', 'prediction', 'target'


@MODELS.register_module()
class EmbeddingTerms(BaseModule):
    """Sum of named losses on L2-normalised embeddings.

    Each entry of ``terms`` is a loss under the name of its log, ``loss_<name>``, and
    a submodule of that name, whose ``loss_weight`` a hook may change. A loss is a
    module that returns a scalar; the names in its attribute ``reads`` say what it
    takes, in their order (``('online',)`` if it has none):

    - ``'online'``: normalised projector outputs of the online network, (K, N, D);
    - ``'prediction'``: the normalised prediction from the projector outputs, or
      ``'online'`` without a predictor, (K, N, D);
    - ``'target'``: normalised outputs of the target network, or, in a method that
      has none, the online ones, without gradient, (K', N, D).

    Embeddings are normalised, and terms computed, in float32 also under AMP. Online
    and target embeddings pass through the identities ``embeddings`` and
    ``target_embeddings``, where a monitor reads them by a forward hook, also when no
    term is on. A term of weight 0 is not run and draws no random number; with none
    on nothing is recorded for the backward pass.

    Args:
        terms: Name → config of a loss, or None for a term that is off. A name is a
            Python identifier that is no attribute of this module.
        predictor: Config of an mmpretrain neck (``with_avg_pool=False``) that keeps
            the dimension, or None. All views go through it in one batch.
        init_cfg: Initialization config of mmengine.

    Raises:
        OptionError: If a name cannot be used, a term reads what there is not, or
            there is a predictor that no term would train.
    """

    def __init__(
        self,
        terms: Mapping[str, dict | None],
        predictor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        # mmpretrain's registry finds its necks without a scope, whatever ours is.
        self.predictor: nn.Module | None = (
            None if predictor is None else MMPRETRAIN_MODELS.build(predictor)
        )
        self.embeddings = nn.Identity()
        self.target_embeddings = nn.Identity()
        self.reads: dict[str, tuple[str, ...]] = {}
        for name, cfg in terms.items():
            self._add(name, cfg)
        if predictor is not None and not self.reading(PREDICTION):
            raise OptionError(
                f'the predictor of {type(self).__name__} only serves terms that read '
                "'prediction', such as the centroid loss: add one to terms, or set "
                'predictor=None'
            )

    def _add(self, name: str, cfg: dict | None) -> None:
        if not name.isidentifier() or hasattr(self, name):
            raise OptionError(
                f'no term of {type(self).__name__} can be called {name!r}: a name is a '
                'Python identifier that the module does not use itself'
            )
        if cfg is None:
            self.register_module(name, None)
            return
        term = MMPRETRAIN_MODELS.build(cfg)
        reads = tuple(getattr(term, 'reads', (ONLINE,)))
        if unknown := set(reads) - {ONLINE, PREDICTION, TARGET}:
            raise OptionError(
                f'{type(term).__name__} reads {sorted(unknown)}; a term can read '
                f"'{ONLINE}', '{PREDICTION}' and '{TARGET}'"
            )
        self.add_module(name, term)
        self.reads[name] = reads

    def active_terms(self) -> list[str]:
        """Return the names of the terms that are computed."""
        return [
            name
            for name in self.reads
            if getattr(getattr(self, name), 'loss_weight', 1) != 0
        ]

    def reading(self, what: str) -> list[str]:
        """Return the names of the terms, active or not, that read ``what``."""
        return [name for name, reads in self.reads.items() if what in reads]

    def loss(
        self,
        online: Tensor | Sequence[Tensor],
        target: Tensor | Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the weighted terms.

        Args:
            online: Projector outputs of the online network, not normalised,
                (K, N, D) or K tensors (N, D).
            target: Projector outputs of the target network, not normalised,
                (K', N, D) or K' tensors (N, D); the online ones by default. No
                gradient flows into them.

        Returns:
            ``loss_<name>`` of each active term, a scalar over the images of all
            ranks.

        Raises:
            ValueError: If the shapes do not fit.
            TypeError: If a term does not return a scalar.
            FloatingPointError: If a term is not finite; it names the term and the
                embeddings at fault.
        """
        inputs = {ONLINE: _stack(ONLINE, online)}
        if target is not None:
            inputs[TARGET] = _stack(TARGET, target)
        names = self.active_terms()
        read = self._read(names, inputs)
        losses = {}
        with torch.autocast(read[ONLINE].device.type, enabled=False):
            for name in names:
                tensors = [read[what] for what in self.reads[name]]
                losses[f'loss_{name}'] = _scalar(name, getattr(self, name)(*tensors))
        if losses:
            check_finite(losses, **inputs)
        return losses

    def _read(self, names: list[str], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what the terms read by name, normalised."""
        online = inputs[ONLINE] if names else inputs[ONLINE].detach()
        z = self.embeddings(_normalize(online))
        target = inputs.get(TARGET)
        t = z.detach() if target is None else _normalize(target.detach())
        read = {ONLINE: z, PREDICTION: z, TARGET: self.target_embeddings(t)}
        if self.predictor is not None and {*names} & {*self.reading(PREDICTION)}:
            (flat,) = self.predictor((online.flatten(0, 1),))
            read[PREDICTION] = _normalize(flat.unflatten(0, online.shape[:2]))
        return read


def with_old_keywords(
    owner: str,
    terms: Mapping[str, dict | None],
    keywords: Mapping[str, Any],
) -> dict[str, dict | None]:
    """Add terms in the form of configs from before there was ``terms``.

    Args:
        owner: Name of the class, for messages.
        terms: Name → config or None.
        keywords: ``centroid``, ``singular_value`` or ``brownian``: a config that
            updates the one in ``terms`` (or replaces it, if it has another type), or
            None.

    Returns:
        All terms, those of ``terms`` first.

    Raises:
        TypeError: If another keyword is among them.
    """
    merged = dict(terms)
    for name, cfg in keywords.items():
        if name not in MSBREG_TERMS:
            raise TypeError(
                f'{owner} takes no argument {name!r}; a loss is an entry of terms: '
                f"terms=dict({name}=dict(type='...', loss_weight=...))"
            )
        warnings.warn(
            f'{owner}({name}=...) is the form of older configs; write '
            f'terms=dict({name}=...)',
            FutureWarning,
            stacklevel=3,
        )
        before = merged.get(name) or MSBREG_TERMS[name]
        kind = before.get('type')
        updates = isinstance(cfg, Mapping) and cfg.get('type', kind) == kind
        merged[name] = {**before, **cfg} if updates else cfg
    return merged


def _scalar(name: str, loss: Any) -> Tensor:
    if not isinstance(loss, Tensor) or loss.dim():
        got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f'the term {name!r} must return a scalar tensor, got {got}')
    return loss


def _stack(name: str, embeddings: Tensor | Sequence[Tensor]) -> Tensor:
    if isinstance(embeddings, Tensor):
        return embeddings
    shapes = [tuple(view.shape) for view in embeddings]
    if len(set(shapes)) != 1:
        raise ValueError(
            f'{name} embeddings need at least one view, all of one shape, got {shapes}'
        )
    return torch.stack(tuple(embeddings))


def _normalize(embeddings: Tensor) -> Tensor:
    return F.normalize(at_least_float32(embeddings), dim=-1)
