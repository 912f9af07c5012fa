"""Precisions in which the ops are tested."""

import pytest
import torch

import msbreg_mm  # noqa: F401  (mmcv.ops imports only with it)


@pytest.fixture(params=[torch.float16, torch.bfloat16], ids=['float16', 'bfloat16'])
def half(request):
    """A type of automatic mixed precision."""
    return request.param
