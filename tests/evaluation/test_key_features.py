"""Keys against the formula of attention, in two libraries."""

import pytest
import timm
import torch
from torch import nn

from msbreg_mm.evaluation.key_features import catch_keys
from msbreg_mm.utils.errors import DataError

NAMES = {'depth': 2, 'embed_dim': 12, 'num_heads': 3, 'img_size': 32}


def expected(block: nn.Module, tokens: torch.Tensor, patches: int) -> torch.Tensor:
    """Rows of the middle third of the joint projection."""
    weight, bias = block.attn.qkv.weight[12:24], block.attn.qkv.bias
    keys = tokens @ weight.T
    return (keys + bias[12:24] if bias is not None else keys)[0, -patches:]


def test_keys_of_timm():
    torch.manual_seed(0)
    net = timm.create_model('vit_tiny_patch16_224', **NAMES).eval()
    images = torch.randn(1, 3, 32, 32)
    seen = []
    net.blocks[-1].norm1.register_forward_hook(lambda *a: seen.append(a[2]))
    with catch_keys() as keys:
        net(images)
    found = keys.patches(4)
    assert torch.allclose(found, expected(net.blocks[-1], seen[-1], 4), atol=1e-6)
    assert found.shape == (4, 12)


def test_keys_of_separate_projections():
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k_proj = nn.Linear(5, 6, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    layer, tokens = Attention(), torch.randn(1, 7, 5)
    with catch_keys() as keys:
        layer(tokens)
    layer(torch.zeros(1, 7, 5))  # the hook is gone
    expected_keys = tokens[0, 3:] @ layer.k_proj.weight.T
    assert torch.allclose(keys.patches(4), expected_keys, atol=1e-6)


def test_a_network_without_attention_is_an_error():
    with catch_keys() as keys:
        nn.Conv2d(3, 2, 1)(torch.ones(1, 3, 4, 4))
    with pytest.raises(DataError, match=r"no keys; use its maps: facet='map'"):
        keys.patches(4)
