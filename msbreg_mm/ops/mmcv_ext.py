"""The module that is imported as ``mmcv._ext``; see :mod:`msbreg_mm.ops`.

mmcv's wrappers (``mmcv/ops/*.py``) check at import that every op they might call
is an attribute, so any name is one here. A name that has no implementation is a
function that raises when it is called.
"""

from collections.abc import Callable
from typing import Any

from msbreg_mm.ops.boxes import bbox_overlaps, nms, nms_match, softnms
from msbreg_mm.ops.deform_attention import (
    ms_deform_attn_backward,
    ms_deform_attn_forward,
)
from msbreg_mm.ops.deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from msbreg_mm.ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from msbreg_mm.ops.roi import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)

__all__ = [
    'bbox_overlaps',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
]


def get_compiler_version() -> str:
    """Return what mmcv prints as its compiler in the environment report."""
    return 'none (ops of torchvision, by msbreg_mm)'


def get_compiling_cuda_version() -> str:
    """Return what a CPU-only build of mmcv returns."""
    return 'not available'


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def missing(*args: Any, **kwargs: Any) -> None:
        hint = ''
        if name.startswith('sync_bn'):
            hint = " For norm layers, use type='SyncBN', which is PyTorch's own."
        raise NotImplementedError(
            f'mmcv was installed without its compiled ops, and msbreg_mm has no '
            f'implementation of {name!r} on torchvision.{hint} Install an mmcv with '
            'compiled ops, which is then used instead: build onedl-mmcv from source '
            'with MMCV_WITH_OPS=1 (and FORCE_CUDA=1 for the GPU) against a PyTorch '
            'that it supports, see https://onedl-mmcv.readthedocs.io'
        )

    missing.__name__ = name
    return missing
