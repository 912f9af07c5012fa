import pytest
import torch
from torch import nn
from torch.nn import functional as F

from msbreg_mm.models.necks import SimpleFeaturePyramid
from msbreg_mm.registry import MODELS


def layer_norm(x, module):
    """Over the channels of each pixel."""
    mean = x.mean(1, keepdim=True)
    variance = x.var(1, keepdim=True, correction=0)
    weight, bias = (p[:, None, None] for p in (module.weight, module.bias))
    return (x - mean) / (variance + 1e-6).sqrt() * weight + bias


def randomised(**settings):
    torch.manual_seed(0)
    neck = SimpleFeaturePyramid(8, 6, **settings)
    for parameter in neck.parameters():
        nn.init.normal_(parameter)
    return neck


def test_every_level_by_hand():
    neck = randomised()
    x = torch.randn(2, 8, 6, 4)
    outs = neck((torch.zeros(1), x))
    assert [tuple(out.shape) for out in outs] == [
        (2, 6, 24, 16),
        (2, 6, 12, 8),
        (2, 6, 6, 4),
        (2, 6, 3, 2),
        (2, 6, 2, 1),
    ]

    def transposed(x, module):
        return F.conv_transpose2d(x, module.weight, module.bias, stride=2)

    def smooth(x, level):
        for block, padding in ((level[-2], 0), (level[-1], 1)):
            assert block.conv.bias is None
            x = layer_norm(F.conv2d(x, block.conv.weight, padding=padding), block.norm)
        return x

    four, two, one, half = neck.levels
    enlarged = F.gelu(layer_norm(transposed(x, four[0]), four[1]))
    wanted = [
        smooth(transposed(enlarged, four[3]), four),
        smooth(transposed(x, two[0]), two),
        smooth(x, one),
        smooth(F.max_pool2d(x, 2), half),
    ]
    wanted.append(wanted[-1][:, :, ::2, ::2])
    for out, value in zip(outs, wanted, strict=True):
        torch.testing.assert_close(out, value)


def test_a_tensor_is_its_own_last_map_and_everything_gets_gradients():
    neck = randomised(scale_factors=(2, 0.5), num_outs=2)
    x = torch.randn(1, 8, 4, 4, requires_grad=True)
    outs = neck(x)
    for out, same in zip(outs, neck([x]), strict=True):
        torch.testing.assert_close(out, same)
    sum(out.square().sum() for out in outs).backward()
    for parameter in (x, *neck.parameters()):
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


def test_registered_with_another_norm():
    cfg = dict(type='msbreg_mm.SimpleFeaturePyramid', in_channels=8, out_channels=4)
    neck = MODELS.build({**cfg, 'norm_cfg': dict(type='BN')})
    assert any(isinstance(module, nn.BatchNorm2d) for module in neck.modules())
    assert not any(isinstance(module, nn.LayerNorm) for module in neck.modules())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(in_channels=6), 'in_channels must be divisible by 4, got 6'),
        (dict(in_channels=8, num_outs=3), 'num_outs is 3, but scale_factors has 4'),
        (dict(in_channels=8, scale_factors=(3,)), 'among 4, 2, 1, 0.5, got 3'),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        SimpleFeaturePyramid(**settings)
