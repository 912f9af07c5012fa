"""Devices and precisions on which the ops are tested."""

import pytest
import torch

import msbreg_mm  # noqa: F401  (mmcv.ops imports only with it)


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request):
    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    return torch.device(request.param)


@pytest.fixture(params=[torch.float16, torch.bfloat16], ids=['float16', 'bfloat16'])
def half(request):
    """A type of automatic mixed precision."""
    return request.param
