"""Overlap and non-maximum suppression of boxes, as ``mmcv._ext`` offers them.

Boxes are ``(x1, y1, x2, y2)``; a side is ``x2 - x1 + offset``. Unlike in mmcv,
the overlap of two boxes without area is 0 instead of NaN.
"""

from types import ModuleType
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor

from msbreg_mm.ops.precision import widen


def _overlap(
    xp: ModuleType, boxes1: Any, boxes2: Any, offset: int, over_first: bool = False
) -> Any:
    """Return intersection over union, or over the area of the first box.

    Args:
        xp: The library of the arrays, ``torch`` or ``numpy``: one formula, for
            NumPy takes less time for the many small steps of soft-NMS.
        boxes1: Boxes.
        boxes2: Boxes.
        offset: 0 or 1, see the module.
        over_first: Divide by the area of ``boxes1``.

    Shape:
        - boxes1, boxes2: ``(4, ...)``, broadcast against each other.
        - output: ``(...)``.
    """
    left, top = xp.maximum(boxes1[:2], boxes2[:2])
    right, bottom = xp.minimum(boxes1[2:], boxes2[2:])
    width, height = (right - left + offset).clip(0), (bottom - top + offset).clip(0)
    intersection = width * height
    area = _area(boxes1, offset)
    if not over_first:
        area = area + _area(boxes2, offset) - intersection
    return intersection / area.clip(xp.finfo(area.dtype).tiny)


def _area(boxes: Any, offset: int) -> Any:
    left, top, right, bottom = boxes
    return (right - left + offset) * (bottom - top + offset)


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
    boxes1, boxes2 = (boxes.T for boxes in widen(bboxes1, bboxes2))
    if not aligned:
        boxes1, boxes2 = boxes1[:, :, None], boxes2[:, None]
    ious.copy_(_overlap(torch, boxes1, boxes2, offset, over_first=mode == 1))


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
    coordinates, decayed = (x.detach().numpy() for x in widen(boxes.T, scores.clone()))
    left = np.arange(len(decayed))
    kept = []
    while len(left):
        first = decayed[left].argmax()
        kept.append(best := int(left[first]))
        left = np.delete(left, first)
        overlap = _overlap(np, coordinates[:, [best]], coordinates[:, left], offset)
        if method == 2:
            decayed[left] *= np.exp(-(overlap**2) / sigma)
        else:
            # The factor of method 0 is 0.
            far = overlap < iou_threshold
            decayed[left] *= np.where(far, 1, (1 - overlap) * method)
        left = left[decayed[left] >= min_score]
    inds = torch.tensor(kept, dtype=torch.long)
    dets[: len(inds), :4] = boxes[inds].to(dets.dtype)
    dets[: len(inds), 4] = torch.from_numpy(decayed)[inds].to(dets.dtype)
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
    coordinates = widen(dets[:, :4].T)[0].numpy()
    left = dets[:, 4].argsort(descending=True, stable=True).numpy()
    groups = []
    while len(left):
        best, left = left[:1], left[1:]
        overlap = _overlap(np, coordinates[:, best], coordinates[:, left], 0)
        matched = overlap >= iou_threshold
        groups.append([int(best[0]), *left[matched].tolist()])
        left = left[~matched]
    return groups
