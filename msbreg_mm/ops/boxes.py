"""Overlap and non-maximum suppression of boxes, as ``mmcv._ext`` offers them.

Boxes are ``(x1, y1, x2, y2)``; a side is ``x2 - x1 + offset``. Unlike in mmcv,
the overlap of two boxes without area is 0 instead of NaN.
"""

from collections.abc import Callable

import numpy as np
import torch
import torchvision
from torch import Tensor

from msbreg_mm.ops.precision import widen


def _overlap(
    boxes1: Tensor, boxes2: Tensor, offset: int, over_first: bool = False
) -> Tensor:
    """Return intersection over union, or over the area of the first box.

    Shape:
        - boxes1, boxes2: ``(..., 4)``, broadcast against each other.
        - output: ``(...)``.
    """
    top_left = torch.maximum(boxes1[..., :2], boxes2[..., :2])
    bottom_right = torch.minimum(boxes1[..., 2:], boxes2[..., 2:])
    intersection = (bottom_right - top_left + offset).clamp(min=0).prod(-1)
    area = (boxes1[..., 2:] - boxes1[..., :2] + offset).prod(-1)
    if not over_first:
        area2 = (boxes2[..., 2:] - boxes2[..., :2] + offset).prod(-1)
        area = area + area2 - intersection
    return intersection / area.clamp(min=torch.finfo(area.dtype).tiny)


def bbox_overlaps(
    bboxes1: Tensor,
    bboxes2: Tensor,
    ious: Tensor,
    mode: int,
    aligned: bool,
    offset: int,
) -> None:
    """Write the overlaps of boxes into ``ious``.

    Args:
        bboxes1: Boxes.
        bboxes2: Boxes.
        ious: Output, in [0, 1].
        mode: 0 for intersection over union, 1 for intersection over the area of
            the first box.
        aligned: Whether to pair the boxes row by row instead of all with all.
        offset: 0 or 1, see the module.

    Shape:
        - bboxes1: ``(M, 4)``; bboxes2: ``(N, 4)``, M = N if aligned.
        - ious: ``(M,)`` if aligned, else ``(M, N)``.
    """
    boxes1, boxes2 = widen(bboxes1, bboxes2)
    if not aligned:
        boxes1 = boxes1[:, None]
    ious.copy_(_overlap(boxes1, boxes2, offset, over_first=mode == 1))


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of the boxes that survive suppression, best score first.

    A box is dropped where a better one overlaps it by more than ``iou_threshold``.

    Args:
        boxes: Boxes.
        scores: Their scores.
        iou_threshold: In [0, 1].
        offset: 0 or 1, see the module.

    Shape:
        - boxes: ``(N, 4)``; scores: ``(N,)``.
        - output: ``(K,)``, int64.
    """
    boxes, scores = widen(boxes, scores)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # An overlap of exactly the threshold is kept. The overlap is a float32, and the
    # float32 nearest to 0.6, for one, is greater than the float64 nearest to it.
    threshold = float(np.float32(iou_threshold))
    return torchvision.ops.nms(boxes, scores, threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Decay the scores of overlapping boxes; return indices, best score first.

    Source: Bodla et al., "Soft-NMS -- Improving Object Detection With One Line of
    Code", ICCV 2017, arXiv 1704.04503. Among equal scores the first box wins.

    Args:
        boxes: Boxes, on the CPU.
        scores: Their scores.
        dets: Output; its first K rows are the kept boxes and decayed scores.
        iou_threshold: In [0, 1]; the methods 0 and 1 decay from this overlap on.
        sigma: Width of the Gaussian of method 2, above 0.
        min_score: A box is dropped when its score has decayed below it.
        method: 0 drops (score 0), 1 decays by ``1 - overlap``, 2 by
            ``exp(-overlap² / sigma)``.
        offset: 0 or 1, see the module.

    Shape:
        - boxes: ``(N, 4)``; scores: ``(N,)``; dets: ``(N, 5)``.
        - output: ``(K,)``, int64.
    """
    boxes, scores = widen(boxes, scores.clone())
    decay: Callable[[Tensor], Tensor]
    if method == 2:
        decay = lambda overlap: (-overlap.square() / sigma).exp()  # noqa: E731
    else:
        decay = lambda overlap: torch.where(  # noqa: E731
            overlap >= iou_threshold, (1 - overlap) * method, 1
        )
    left = torch.arange(len(boxes))
    kept = []
    while len(left):
        first = int(scores[left].argmax())
        best = left[first]
        kept.append(int(best))
        left = torch.cat([left[:first], left[first + 1 :]])
        decayed = scores[left] * decay(_overlap(boxes[best], boxes[left], offset))
        scores[left] = decayed
        left = left[decayed >= min_score]
    inds = torch.tensor(kept, dtype=torch.long)
    dets[: len(inds)] = torch.cat([boxes[inds], scores[inds, None]], 1).to(dets.dtype)
    return inds


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes by the better box that suppresses them.

    Args:
        dets: Boxes and scores, on the CPU.
        iou_threshold: In [0, 1]; boxes are suppressed from this overlap on.

    Shape:
        - dets: ``(N, 5)``.

    Returns:
        Per kept box its index, followed by those it suppresses, best score first.
    """
    (dets,) = widen(dets)
    left = dets[:, 4].argsort(descending=True, stable=True)
    groups = []
    while len(left):
        best, left = left[0], left[1:]
        matched = _overlap(dets[best, :4], dets[left, :4], 0) >= iou_threshold
        groups.append([int(best), *left[matched].tolist()])
        left = left[~matched]
    return groups
