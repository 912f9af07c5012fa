"""Suppression and overlap against hand-computed boxes and plain loops."""

import math

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, bbox_overlaps, nms, nms_match, soft_nms

# Overlaps of the first box with the others: 0.6, 0.25, 0.
BOXES = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 5, 5], [20, 20, 30, 30]])
BOXES = BOXES.float()
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 60
    size = torch.rand(count, 2, generator=generator) * 40 + 1
    scores = torch.randperm(count, generator=generator) / count + 0.01
    return torch.cat([corner, corner + size], 1), scores


def iou(a, b, offset=0):
    """Intersection over union of two boxes, in plain Python."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + offset
    height = min(a[3], b[3]) - max(a[1], b[1]) + offset
    inside = max(width, 0) * max(height, 0)
    area = sum((x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b))
    return inside / (area - inside)


def loop_nms(boxes, scores, threshold, offset):
    boxes, kept = boxes.tolist(), []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[i], boxes[j], offset) <= threshold for j in kept):
            kept.append(i)
    return kept


def loop_soft_nms(boxes, scores, threshold, sigma, min_score, method, offset):
    boxes = boxes.tolist()
    left = dict(enumerate(scores.tolist()))
    kept = []
    while left:
        best = max(left, key=left.get)
        kept.append((best, left.pop(best)))
        for i in list(left):
            overlap = iou(boxes[best], boxes[i], offset)
            if method == 'gaussian':
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                left[i] *= 1 - overlap if method == 'linear' else 0
            if left[i] < min_score:
                del left[i]
    return kept


@pytest.mark.parametrize(
    ('threshold', 'kept'),
    [(0.61, [0, 1, 2, 3]), (0.6, [0, 1, 2, 3]), (0.5, [0, 2, 3]), (0.2, [0, 3])],
)
def test_nms_drops_what_overlaps_by_more_than_the_threshold(device, threshold, kept):
    dets, indices = nms(BOXES.to(device), SCORES.to(device), threshold)
    assert indices.tolist() == kept
    expected = torch.cat([BOXES[kept], SCORES[kept, None]], 1)
    torch.testing.assert_close(dets.cpu(), expected)


def test_nms_offset_counts_the_last_pixel():
    # 5 of 70 pixels are shared with the offset; without it the boxes only touch.
    boxes = torch.tensor([[0.0, 0, 9, 4], [9.0, 0, 13, 4]])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.05, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.05, offset=1)[1].tolist() == [0]


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.5, 0.7])
def test_nms_agrees_with_a_loop(device, threshold, offset):
    boxes, scores = random_boxes(100)
    expected = loop_nms(boxes, scores, threshold, offset)
    result = nms(boxes.to(device), scores.to(device), threshold, offset)
    assert result[1].tolist() == expected


def test_nms_does_not_depend_on_the_order_of_boxes():
    boxes, scores = random_boxes(80)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(1))
    expected = nms(boxes, scores, 0.4)[0]
    torch.testing.assert_close(nms(boxes[order], scores[order], 0.4)[0], expected)


def test_nms_score_threshold_and_number():
    assert nms(BOXES, SCORES, 0.9, score_threshold=0.65)[1].tolist() == [0, 1, 2]
    assert nms(BOXES, SCORES, 0.9, max_num=2)[1].tolist() == [0, 1]


def test_nms_in_half_precision(device, half):
    dets, indices = nms(BOXES.to(device, half), SCORES.to(device, half), 0.5)
    assert indices.tolist() == [0, 2, 3]
    assert dets.dtype == half


def test_nms_takes_scores_of_another_type():
    dets, indices = nms(BOXES, SCORES.double(), 0.5)
    assert indices.tolist() == [0, 2, 3]
    assert len(dets) == 3


def test_nms_of_non_contiguous_boxes():
    boxes = BOXES.T.contiguous().T
    scores = torch.stack([SCORES, SCORES], 1)[:, 0]
    assert not boxes.is_contiguous()
    assert nms(boxes, scores, 0.5)[1].tolist() == [0, 2, 3]


@pytest.mark.parametrize('function', [nms, soft_nms])
def test_suppression_of_no_boxes(device, function):
    dets, indices = function(
        torch.zeros(0, 4, device=device), torch.zeros(0, device=device), 0.5
    )
    assert dets.shape == (0, 5)
    assert indices.shape == (0,)
    assert indices.dtype == torch.long


def test_nms_of_arrays():
    dets, indices = nms(BOXES.numpy(), SCORES.numpy(), 0.5)
    assert isinstance(dets, np.ndarray)
    assert indices.tolist() == [0, 2, 3]


def test_batched_nms_keeps_boxes_of_different_classes():
    boxes, scores = BOXES[[0, 0, 0]], SCORES[:3]
    labels = torch.tensor([0, 1, 0])
    dets, kept = batched_nms(
        boxes, scores, labels, {'type': 'nms', 'iou_threshold': 0.5}
    )
    assert kept.tolist() == [0, 1]
    torch.testing.assert_close(dets[:, :4], boxes[:2])


@pytest.mark.parametrize(
    ('method', 'scores', 'order'),
    [
        ('naive', [0.9, 0.7, 0.6], [0, 2, 3]),
        # 0.8 * (1 - 0.6); the box after it overlaps both by less than 0.5.
        ('linear', [0.9, 0.7, 0.6, 0.32], [0, 2, 3, 1]),
    ],
)
def test_soft_nms_by_hand(method, scores, order):
    dets, indices = soft_nms(BOXES, SCORES, 0.5, min_score=0.001, method=method)
    assert indices.tolist() == order
    torch.testing.assert_close(dets[:, 4], torch.tensor(scores))
    torch.testing.assert_close(dets[:, :4], BOXES[order])


def test_soft_nms_decays_from_the_threshold_on():
    for threshold, kept in ((0.6, [0]), (0.61, [0, 1])):
        indices = soft_nms(BOXES[:2], SCORES[:2], threshold, method='naive')[1]
        assert indices.tolist() == kept


def test_soft_nms_gaussian_by_hand():
    dets, indices = soft_nms(BOXES[:2], SCORES[:2], sigma=0.5, method='gaussian')
    assert indices.tolist() == [0, 1]
    expected = torch.tensor([0.9, 0.8 * math.exp(-0.72)])
    torch.testing.assert_close(dets[:, 4], expected)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_agrees_with_a_loop(device, method, offset):
    boxes, scores = random_boxes(60)
    options = {'sigma': 0.4, 'min_score': 0.05, 'method': method, 'offset': offset}
    expected = loop_soft_nms(boxes, scores, 0.3, **options)
    dets, indices = soft_nms(boxes.to(device), scores.to(device), 0.3, **options)
    assert dets.device.type == device.type
    assert indices.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(
        dets[:, 4].cpu(), torch.tensor([score for _, score in expected])
    )


def test_soft_nms_of_boxes_without_area():
    # The example of mmcv's documentation: the box of score 0 is dropped.
    boxes = torch.tensor(
        [
            [4, 3, 5, 3],
            [4, 3, 5, 4],
            [3, 1, 3, 1],
            [3, 1, 3, 1],
            [3, 1, 3, 1],
            [3, 1, 3, 1],
        ]
    ).float()
    scores = torch.tensor([0.9, 0.9, 0.5, 0.5, 0.4, 0.0])
    for method in ('naive', 'linear', 'gaussian'):
        dets, indices = soft_nms(boxes, scores, 0.6, sigma=0.5, method=method)
        assert indices.tolist() == [0, 1, 2, 3, 4]
        assert dets.isfinite().all()


def test_soft_nms_leaves_its_inputs_alone():
    boxes, scores = random_boxes(20)
    before = boxes.clone(), scores.clone()
    soft_nms(boxes.requires_grad_(), scores.requires_grad_(), 0.3)
    torch.testing.assert_close((boxes.detach(), scores.detach()), before)


def test_soft_nms_in_half_precision(half):
    dets, indices = soft_nms(BOXES.to(half), SCORES.to(half), 0.5)
    assert indices.tolist() == [0, 2, 3, 1]
    assert dets.dtype == half
    expected = torch.tensor([0.9, 0.7, 0.6, 0.32]).to(half)
    torch.testing.assert_close(dets[:, 4], expected)


def test_nms_match_by_hand(device):
    dets = torch.cat([BOXES, SCORES[:, None]], 1).to(device)
    groups = [group.tolist() for group in nms_match(dets, 0.6)]
    assert groups == [[0, 1], [2], [3]]  # an overlap of the threshold counts here
    assert nms_match(dets[:0], 0.6) == []


def test_nms_match_agrees_with_a_loop():
    boxes, scores = random_boxes(60)
    left = sorted(range(60), key=lambda i: -scores[i])
    rows, expected = boxes.tolist(), []
    while left:
        group = [i for i in left if iou(rows[left[0]], rows[i]) >= 0.3]
        expected.append(group)
        left = [i for i in left if i not in group]
    groups = nms_match(torch.cat([boxes, scores[:, None]], 1), 0.3)
    assert [group.tolist() for group in groups] == expected


def test_bbox_overlaps_by_hand(device):
    boxes = BOXES.to(device)
    expected = torch.tensor([[1, 0.6, 0.25, 0]], device=device)
    torch.testing.assert_close(bbox_overlaps(boxes[:1], boxes), expected)
    of_first = torch.tensor([[1], [1], [1], [0]], device=device).float()
    torch.testing.assert_close(bbox_overlaps(boxes, boxes[:1], mode='iof'), of_first)
    pairs = bbox_overlaps(boxes[[0, 0]], boxes[[1, 3]], aligned=True)
    torch.testing.assert_close(pairs, torch.tensor([0.6, 0], device=device))


def test_bbox_overlaps_agree_with_a_loop():
    (first, _), (second, _) = random_boxes(7, 0), random_boxes(9, 1)
    for offset in (0, 1):
        rows = [[iou(a, b, offset) for b in second.tolist()] for a in first.tolist()]
        result = bbox_overlaps(first, second, offset=offset)
        torch.testing.assert_close(result, torch.tensor(rows))


def test_bbox_overlaps_of_boxes_without_area_and_of_none(half):
    point = torch.ones(1, 4)
    assert bbox_overlaps(point, point).tolist() == [[0]]
    assert bbox_overlaps(point[:0], point).shape == (0, 1)
    assert bbox_overlaps(BOXES.to(half), BOXES.to(half)).dtype == half
