"""Average pooling to a few positions, flattened."""

from collections.abc import Sequence

from torch import Tensor, nn

from msbreg_mm.registry import MODELS
from msbreg_mm.utils.errors import OptionError


@MODELS.register_module()
class GridPooling(nn.Module):
    """Averages windows of the last feature map and flattens what is left.

    VISSL's benchmark of VOC07 SVMs pools the 7 x 7 map of a ResNet-50 by windows of
    6 with stride 1, to 2 x 2 x 2048 = 8,192 features (Goyal et al., 2019,
    arXiv 1905.01235); mmselfsup does the same.

    Args:
        kernel_size: Side of a window in positions of the map, at least 1.
        stride: Step between windows, at least 1.

    Shape:
        - Input: sequence of maps (N, C, H, W), H and W at least ``kernel_size``;
          the last one is used.
        - Output: tuple of one (N, C * rows * columns).

    Raises:
        OptionError: If an argument is out of range, or the map is smaller than a
            window.
    """

    def __init__(self, kernel_size: int = 6, stride: int = 1) -> None:
        super().__init__()
        if kernel_size < 1 or stride < 1:
            raise OptionError(
                f'kernel_size and stride must be at least 1, got {kernel_size} and '
                f'{stride}'
            )
        self.kernel_size = kernel_size
        self.pool = nn.AvgPool2d(kernel_size, stride)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor]:
        """Pool; see the class."""
        last = inputs[-1]
        height, width = last.shape[-2:]
        if min(height, width) < self.kernel_size:
            raise OptionError(
                f'the map has {height} x {width} positions, fewer than '
                f'kernel_size={self.kernel_size}; use larger images or a smaller window'
            )
        return (self.pool(last).flatten(1),)
