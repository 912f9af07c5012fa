"""A linear classifier behind a normalisation without parameters."""

from typing import Any

from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from msbreg_mm.registry import MODELS


@MODELS.register_module()
class NormalizedLinearClsHead(LinearClsHead):
    """Linear classifier on features that BatchNorm puts to mean 0 and variance 1.

    The normalisation has no parameters, so that the classifier stays linear; with
    it one learning rate suits features of any scale. VISSL's linear evaluation
    (``eval_mlp``) does so (Goyal et al., 2019, arXiv 1905.01235).

    Args:
        num_classes: Number of classes.
        in_channels: Number of features.
        **kwargs: See :class:`mmpretrain.models.heads.LinearClsHead`.

    Shape:
        - Input: sequence of features (N, ``in_channels``); the last is used.
        - Output: scores (N, ``num_classes``).
    """

    def __init__(self, num_classes: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.norm = nn.BatchNorm1d(in_channels, affine=False)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Normalise the features of the last stage."""
        return self.norm(super().pre_logits(feats))
