import pytest
import torch
from mmpretrain.models import LatentPredictHead
from torch import nn
from torch.nn import functional as F

from msbreg_mm.models.heads import LatentAblationHead, NoNorm

PREDICTOR = {
    'type': 'NonLinearNeck',
    'in_channels': 6,
    'hid_channels': 8,
    'out_channels': 6,
    'with_avg_pool': False,
    'with_last_bn': False,
    'norm_cfg': {'type': 'BN1d'},
}
LOSS = {'type': 'CosineSimilarityLoss'}


def draw(*shape):
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))
    return noise.requires_grad_()


def test_with_both_safeguards_it_is_mmpretrains_head():
    torch.manual_seed(0)
    upstream = LatentPredictHead(loss=LOSS, predictor=PREDICTOR)
    head = LatentAblationHead(loss=LOSS, predictor=PREDICTOR)
    head.load_state_dict(upstream.state_dict())
    online, target = draw(4, 6), draw(4, 6)
    loss = head.loss(online, target)
    assert torch.equal(loss, upstream.loss(online, target))
    loss.backward()
    assert online.grad.abs().sum() > 0
    assert target.grad is None


@pytest.mark.parametrize('stop_gradient', [True, False])
def test_without_predictor_it_compares_projections(stop_gradient):
    head = LatentAblationHead(loss=LOSS, stop_gradient=stop_gradient)
    assert not list(head.parameters())
    online, target = draw(4, 6), (draw(4, 6) * 2).detach().requires_grad_()
    loss = head.loss(online, target)
    expected = -F.cosine_similarity(online, target).mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (target.grad is None) == stop_gradient


def test_no_norm_stands_in_a_neck_for_batch_norm():
    from mmpretrain.registry import MODELS

    neck = MODELS.build({**PREDICTOR, 'norm_cfg': {'type': 'msbreg_mm.NoNorm'}})
    assert isinstance(neck.bn0, NoNorm)
    assert not any(isinstance(m, nn.BatchNorm1d) for m in neck.modules())
    # The images of a batch do not see each other.
    x = draw(5, 6)
    together = neck((x,))[0]
    torch.testing.assert_close(together[:1], neck((x[:1],))[0])
