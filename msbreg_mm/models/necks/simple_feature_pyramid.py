"""Several scales from the one scale of a plain vision transformer."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpretrain.models.utils import build_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Simple feature pyramid of ViTDet.

    Li et al., "Exploring Plain Vision Transformer Backbones for Object Detection",
    ECCV 2022, arXiv 2203.16527, section 3; layers as in detectron2's
    ``SimpleFeaturePyramid``. The last map of the backbone is enlarged by 4 and 2
    (transposed convolutions), kept, and halved (maximum); each scale then passes a
    1x1 and a 3x3 convolution, both normalised. No top-down connections. Further,
    coarser levels take every second pixel of the level before, as in an FPN.

    Args:
        in_channels: Channels of the backbone's map, divisible by 4.
        out_channels: Channels of every level.
        scale_factors: Sizes of the levels relative to the backbone's map, each one
            of 4, 2, 1, 0.5, from fine to coarse.
        num_outs: Number of levels, at least ``len(scale_factors)``.
        norm_cfg: Normalisation; the channel-wise layer norm of ViTDet by default.
        init_cfg: Initialisation; PyTorch's by default.

    Shape:
        - Input: one map (N, ``in_channels``, H, W), or a sequence whose last is it.
        - Output: ``num_outs`` maps (N, ``out_channels``, sH, sW), s from
          ``scale_factors``, then halved.

    Raises:
        OptionError: If a scale is unknown, or a number does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        scale_factors: Sequence[float] = (4, 2, 1, 0.5),
        num_outs: int = 5,
        norm_cfg: Mapping[str, Any] | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels % 4:
            raise OptionError(f'in_channels must be divisible by 4, got {in_channels}')
        if num_outs < len(scale_factors):
            raise OptionError(
                f'num_outs is {num_outs}, but scale_factors has {len(scale_factors)}'
            )
        norm = dict(norm_cfg or {'type': 'mmpretrain.LN2d', 'eps': 1e-6})
        self.num_outs = num_outs
        self.levels = nn.ModuleList()
        for factor in scale_factors:
            layers, channels = _resize(factor, in_channels, norm)
            for width, kernel in ((channels, 1), (out_channels, 3)):
                layers.append(
                    ConvModule(
                        width,
                        out_channels,
                        kernel,
                        padding=kernel // 2,
                        norm_cfg=norm,
                        act_cfg=None,
                    )
                )
            self.levels.append(nn.Sequential(*layers))

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            inputs: The backbone's map, or its outputs, of which the last is used.

        Returns:
            One map per level, from fine to coarse.
        """
        x = inputs if isinstance(inputs, Tensor) else inputs[-1]
        outs = [level(x) for level in self.levels]
        while len(outs) < self.num_outs:
            outs.append(F.max_pool2d(outs[-1], kernel_size=1, stride=2))
        return tuple(outs)


def _resize(
    factor: float, channels: int, norm: dict[str, Any]
) -> tuple[list[nn.Module], int]:
    """Layers that change the size by ``factor``, and their output channels."""
    if factor == 4:
        middle = channels // 2
        return [
            nn.ConvTranspose2d(channels, middle, kernel_size=2, stride=2),
            build_norm_layer(norm, middle),
            nn.GELU(),
            nn.ConvTranspose2d(middle, channels // 4, kernel_size=2, stride=2),
        ], channels // 4
    if factor == 2:
        layer = nn.ConvTranspose2d(channels, channels // 2, kernel_size=2, stride=2)
        return [layer], channels // 2
    if factor == 1:
        return [], channels
    if factor == 0.5:
        return [nn.MaxPool2d(kernel_size=2, stride=2)], channels
    raise OptionError(f'scale_factors must be among 4, 2, 1, 0.5, got {factor}')
