import random

import numpy as np
import pytest
import torch
from torch import nn

from msbreg_mm.engine.isolation import isolated


def draw() -> tuple:
    return random.random(), np.random.rand(), float(torch.rand(()))


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())


def test_generators_go_on_as_if_nothing_happened() -> None:
    def seed() -> None:
        random.seed(1), np.random.seed(2), torch.manual_seed(3)

    model = network()
    seed()
    expected = [draw(), draw()]
    seed()
    first = draw()
    with isolated(model, 5):
        inside = draw()
    assert [first, draw()] == expected
    with isolated(model, 5):
        assert draw() == inside
    with isolated(model, 6):
        assert draw() != inside


def test_every_module_gets_its_own_mode_back() -> None:
    model = network().train()
    model[1].eval()  # frozen statistics within a trained network
    with isolated(model, 0):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False, True]


def test_statistics_and_gradients_stay() -> None:
    model = network()
    x = torch.randn(8, 3)
    model(x).sum().backward()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    with isolated(model, 0):
        assert not model(x).requires_grad
    assert torch.is_grad_enabled()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_restores_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, 'benchmark', True)
    model = network()
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    with pytest.raises(KeyError, match='False'):
        _fail(model)
    assert torch.backends.cudnn.benchmark
    assert torch.rand(()) == expected
    assert all(module.training for module in model.modules())


def _fail(model: nn.Module) -> None:
    with isolated(model, 0):
        raise KeyError(str(torch.backends.cudnn.benchmark))


@pytest.mark.gpu
def test_the_cuda_generator_goes_on() -> None:
    torch.cuda.manual_seed(0)
    torch.rand(1, device='cuda')
    expected = torch.rand(3, device='cuda')
    torch.cuda.manual_seed(0)
    torch.rand(1, device='cuda')
    with isolated(network(), 0):
        inside = torch.rand(3, device='cuda')
    assert torch.equal(torch.rand(3, device='cuda'), expected)
    with isolated(network(), 0):
        assert torch.equal(torch.rand(3, device='cuda'), inside)
