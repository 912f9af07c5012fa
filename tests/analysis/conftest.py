"""The scope that a command sets before it builds anything."""

import pytest


@pytest.fixture(autouse=True)
def _scope(tiny_cfg):
    from mmengine.registry import init_default_scope

    init_default_scope('mmpretrain')
