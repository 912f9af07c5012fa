"""Head of MSBReg: an optional predictor and its loss terms."""

from collections.abc import Mapping
from typing import Any

from msbreg_mm.models.heads.embedding_terms import (
    MSBREG_TERMS,
    EmbeddingTerms,
    with_old_keywords,
)
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError


@MODELS.register_module()
class MSBRegHead(EmbeddingTerms):
    """Sum of multiview centroid, singular value and Brownian diffusive losses.

    Moon et al., "An Embedding-Dynamic Approach to Self-supervised Learning",
    WACV 2023, arXiv 2207.03552; the weights are this project's choice
    (``docs/method.md``). The regularisers act on the normalised projector outputs;
    the centroid loss too, or, with a predictor, on the normalised prediction from
    the projector outputs.

    Here a term of weight 0 is computed and logged, so that the random draws do not
    depend on a schedule that starts or ends at 0.

    Args:
        terms: See :class:`EmbeddingTerms`; by default the three losses under the
            names ``centroid``, ``singular_value`` and ``brownian``. A fourth is one
            more entry.
        predictor: See :class:`EmbeddingTerms`.
        init_cfg: Initialization config of mmengine.
        kwargs: Single terms in the form of older configs, e.g. ``brownian=None``.

    Raises:
        OptionError: If all terms are None, and as :class:`EmbeddingTerms` does.
    """

    def __init__(
        self,
        terms: Mapping[str, dict | None] | None = None,
        predictor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        terms = MSBREG_TERMS if terms is None else terms
        terms = with_old_keywords('MSBRegHead', terms, kwargs)
        if all(cfg is None for cfg in terms.values()):
            raise OptionError(
                'MSBRegHead has no loss: give terms at least one, e.g. '
                "terms=dict(centroid=dict(type='msbreg_mm.MultiviewCentroidLoss'))"
            )
        super().__init__(terms, predictor, init_cfg)

    def active_terms(self) -> list[str]:
        """Return the names of all terms that are not None."""
        return list(self.reads)
