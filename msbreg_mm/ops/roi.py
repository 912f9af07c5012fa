"""RoIAlign and RoIPool, as ``mmcv._ext`` offers them.

RoIs are ``(image index, x1, y1, x2, y2)`` in pixels of the image; ``spatial_scale``
is the size of the feature map over that of the image. Outputs are written into
tensors that the caller has made.
"""

from collections.abc import Iterator

import torch
import torchvision  # noqa: F401  (registers the ops below)
from torch import Tensor

from msbreg_mm.ops.precision import widen

_tv = torch.ops.torchvision
_MAX = 0  # pool_mode; 1 is the average


def _groups_by_grid(
    rois: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Iterator[tuple[Tensor, int, int]]:
    """Yield the RoIs (their indices) that share a grid of samples per bin.

    ``sampling_ratio`` 0 takes as many samples as a bin has pixels, rounded up. RoIs
    without area have none and are left out.
    """
    shift = 0.5 if aligned else 0.0
    corners = rois[:, 1:] * spatial_scale - shift
    extent = corners[:, [3, 2]] - corners[:, [1, 0]]
    if not aligned:
        extent = extent.clamp(min=1)
    grids = (extent / extent.new_tensor(size)).ceil().long()
    if sampling_ratio > 0:
        grids = torch.full_like(grids, sampling_ratio)
    for rows, columns in grids.unique(dim=0).tolist():
        if rows > 0 and columns > 0:
            same = (grids == grids.new_tensor([rows, columns])).all(1)
            yield same.nonzero()[:, 0], rows, columns


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool bilinear samples of the feature map in each bin of each RoI.

    Source: He et al., "Mask R-CNN", ICCV 2017, arXiv 1703.06870, section 3.

    Args:
        input: Feature map.
        rois: RoIs.
        output: Output.
        argmax_y: Output of the maximum: row of the greatest sample in the grid of
            its bin, -1 where there is none. (mmcv writes its coordinate, which
            float16 and bfloat16 round.)
        argmax_x: Likewise its column.
        aligned_height: Bins per column of a RoI, P.
        aligned_width: Bins per row of a RoI, Q.
        spatial_scale: Above 0.
        sampling_ratio: Samples per bin and axis; 0 for one per pixel.
        pool_mode: 0 for the maximum, 1 for the average of the samples.
        aligned: Whether pixel centres lie at half-integer coordinates.

    Shape:
        - input: ``(N, C, H, W)``; rois: ``(R, 5)``.
        - output, argmax_y, argmax_x: ``(R, C, P, Q)``.
    """
    features, boxes = widen(input, rois)
    size = (aligned_height, aligned_width)
    options = (spatial_scale, *size, sampling_ratio, aligned)
    if pool_mode != _MAX:
        output.copy_(_tv.roi_align(features, boxes, *options))
        return
    output.zero_()
    argmax_y.fill_(-1)
    argmax_x.fill_(-1)
    groups = _groups_by_grid(boxes, size, spatial_scale, sampling_ratio, aligned)
    for group, rows, columns in groups:
        # With one sample per bin and as many bins as there were samples, RoIAlign
        # returns the samples themselves.
        fine = (aligned_height * rows, aligned_width * columns)
        samples = _tv.roi_align(
            features, boxes[group], spatial_scale, *fine, 1, aligned
        )
        samples = samples.unflatten(3, (-1, columns)).unflatten(2, (-1, rows))
        best, index = samples.transpose(3, 4).flatten(4).max(-1)
        output[group] = best.to(output.dtype)
        argmax_y[group] = (index // columns).to(argmax_y.dtype)
        argmax_x[group] = (index % columns).to(argmax_x.dtype)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of :func:`roi_align_forward` into ``grad_input``.

    The arguments are those of the forward; ``grad_output`` and ``grad_input`` have
    the shapes of its ``output`` and ``input``.
    """
    grad, boxes = widen(grad_output, rois)
    size = (aligned_height, aligned_width)
    if pool_mode != _MAX:
        options = (spatial_scale, *size, *grad_input.shape, sampling_ratio, aligned)
        grad_input.copy_(_tv._roi_align_backward(grad, boxes, *options))
        return
    total = torch.zeros_like(grad_input, dtype=grad.dtype)
    groups = _groups_by_grid(boxes, size, spatial_scale, sampling_ratio, aligned)
    for group, rows, columns in groups:
        index = argmax_y[group].long() * columns + argmax_x[group].long()
        samples = grad.new_zeros(*index.shape, rows * columns)
        samples.scatter_(4, index[..., None], grad[group][..., None])
        samples = samples.unflatten(4, (rows, columns)).transpose(3, 4)
        samples = samples.flatten(4, 5).flatten(2, 3).contiguous()
        fine = samples.shape[2:]
        total += _tv._roi_align_backward(
            samples, boxes[group], spatial_scale, *fine, *total.shape, 1, aligned
        )
    grad_input.copy_(total)


def _bins(rois: Tensor, size: tuple[int, int], spatial_scale: float) -> Tensor:
    """Return the bins of RoIs as RoIs in pixels of the feature map, last included.

    A bin reaches over every pixel that it touches. torchvision's own bins are
    other ones: it rounds the RoI to whole pixels first.

    Shape:
        - rois: ``(R, 5)``.
        - output: ``(R * P * Q, 5)`` for size (P, Q).
    """
    start = rois[:, 1:3] * spatial_scale
    extent = (rois[:, 3:5] + 1) * spatial_scale - start
    edges = []
    for axis, count in enumerate(reversed(size)):
        number = torch.arange(count, dtype=rois.dtype, device=rois.device)
        step = extent[:, axis, None] / count
        low = (number * step + start[:, axis, None]).floor()
        high = ((number + 1) * step + start[:, axis, None]).ceil() - 1
        edges.append((low, high))
    (left, right), (top, bottom) = edges
    bins = torch.stack(
        torch.broadcast_tensors(
            rois[:, 0, None, None],
            left[:, None],
            top[..., None],
            right[:, None],
            bottom[..., None],
        ),
        dim=-1,
    )
    # torchvision makes RoIs without area one pixel large; far outside they pool
    # nothing.
    bins[(extent <= 0).any(1), ..., 1:] = -2.0
    return bins.flatten(0, 2)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Pool the greatest pixel of the feature map in each bin of each RoI.

    Source: Girshick, "Fast R-CNN", ICCV 2015, arXiv 1504.08083, section 2.1; which
    pixels belong to a bin is as in mmcv's CUDA kernel.

    Args:
        input: Feature map.
        rois: RoIs; the pixel of the last corner belongs to them.
        output: Output, 0 for a bin without pixels.
        argmax: Output, int32: index of that pixel in its map, -1 without pixels.
        pooled_height: Bins per column of a RoI, P.
        pooled_width: Bins per row of a RoI, Q.
        spatial_scale: Above 0.

    Shape:
        - input: ``(N, C, H, W)``; rois: ``(R, 5)``.
        - output, argmax: ``(R, C, P, Q)``.
    """
    features, boxes = widen(input, rois)
    size = (pooled_height, pooled_width)
    # Each bin is a RoI of one bin, so that torchvision does not divide it.
    bins = _bins(boxes, size, spatial_scale)
    for target, pooled in zip(
        (output, argmax), _tv.roi_pool(features, bins, 1.0, 1, 1), strict=True
    ):
        shape = (len(rois), *size, features.shape[1])
        target.copy_(pooled.reshape(shape).permute(0, 3, 1, 2))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write the gradient of :func:`roi_pool_forward` into ``grad_input``.

    The arguments are those of the forward; ``grad_output`` and ``grad_input`` have
    the shapes of its ``output`` and ``input``.
    """
    grad, boxes = widen(grad_output, rois)
    options = (spatial_scale, pooled_height, pooled_width, *grad_input.shape)
    grad_input.copy_(_tv._roi_pool_backward(grad, boxes, argmax, *options))
