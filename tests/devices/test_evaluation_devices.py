"""Detectors and probes give on a device what they give on a CPU."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from msbreg_mm.evaluation import knn_predict
from msbreg_mm.evaluation.logistic_solvers import TorchSolver
from msbreg_mm.suite.tasks import CONFIG_ROOT
from msbreg_mm.utils.upstream import import_quietly

DETECTOR = CONFIG_ROOT / 'demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'


@pytest.fixture(scope='module')
def detector():
    """The demo's Mask R-CNN with drawn weights, and a batch."""
    import_quietly('mmdet.models')
    from mmdet.registry import MODELS
    from mmdet.testing import demo_mm_inputs

    with DefaultScope.overwrite_default_scope('mmdet'):
        cfg = Config.fromfile(DETECTOR)
        cfg.model.test_cfg.rcnn.score_thr = 0.0
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
    classes = cfg.model.roi_head.bbox_head.num_classes
    data = demo_mm_inputs(
        2, [(3, 64, 80), (3, 64, 64)], num_classes=classes, with_mask=True
    )
    return model, data


def test_detector_losses(detector, device):
    model, data = detector
    losses = {}
    for where in {'cpu', device.type}:
        model.to(where).train().zero_grad()
        torch.manual_seed(0)
        batch = model.data_preprocessor(data, True)
        found = model(**batch, mode='loss')
        total, logged = model.parse_losses(found)
        total.backward()
        gradient = model.roi_head.mask_head.conv_logits.weight.grad
        assert gradient.device.type == where
        assert gradient.isfinite().all()
        losses[where] = {k: float(v) for k, v in logged.items() if 'rpn' in k}
    # The proposals of the second stage are sampled with the device's own numbers.
    assert losses[device.type] == pytest.approx(losses['cpu'], rel=0.2)


def test_detector_predictions(detector, device):
    model, data = detector
    boxes = {}
    for where in {'cpu', device.type}:
        model.to(where).eval()
        with torch.no_grad():
            batch = model.data_preprocessor(data, False)
            (first, _) = model(**batch, mode='predict')
        found = first.pred_instances
        assert found.bboxes.device.type == found.masks.device.type == where
        boxes[where] = found.scores.sort(descending=True)[0][:5].cpu()
    torch.testing.assert_close(boxes[device.type], boxes['cpu'], rtol=1e-2, atol=1e-3)


def test_knn(device):
    rng = np.random.default_rng(0)
    bank = rng.normal(size=(60, 8)).astype(np.float32)
    labels = rng.integers(0, 4, 60)
    queries = rng.normal(size=(20, 8)).astype(np.float32)
    found = knn_predict(bank, labels, queries, (5,), (0.07,), 4, 16, device)
    unit = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    similarity = asked @ unit.T
    nearest = np.argsort(-similarity, axis=1)[:, :5]
    votes = np.zeros((20, 4))
    for row, places in enumerate(nearest):
        for place in places:
            votes[row, labels[place]] += np.exp(similarity[row, place] / 0.07)
    (first,) = (np.asarray(value.cpu()) for value in found.values())
    top = first[:, 0] if first.ndim == 2 else first
    np.testing.assert_array_equal(top, votes.argmax(1))


def test_logistic_regression(device):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 20)
    x = rng.normal(size=(60, 5)).astype(np.float32) + 0.7 * y[:, None]
    weights, _ = TorchSolver(device).fit(x, y, 3, 0.1)
    expected, _ = TorchSolver('cpu').fit(x, y, 3, 0.1)
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-5)
    from sklearn.linear_model import LogisticRegression

    peer = LogisticRegression(C=10.0, tol=1e-8, max_iter=5000).fit(x, y)
    scores = x @ weights[:, :-1].T + weights[:, -1]
    np.testing.assert_array_equal(scores.argmax(1), peer.predict(x))
