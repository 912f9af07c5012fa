"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

import pytest

# Fixtures that several folders share, by what they set up.
pytest_plugins = ['suite_fixtures', 'ablation_fixtures', 'analysis_fixtures']

# Two cores are shared by torch, OpenCV and pytest-xdist: one thread each.
os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.fixture(autouse=True, scope='session')
def _configs_as_they_are():
    """Dump configs without yapf, which takes seconds for a detector's."""
    from yapf.yapflib import yapf_api

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, **_: (text, False))
        yield


@pytest.fixture(autouse=True)
def _no_leftovers():
    """Forget the scope and the loggers that runners of earlier tests left behind.

    A runner's logger is named after the second of its start; one of the same second
    would go on writing into the earlier one's folder.
    """
    yield
    for module, name in (('registry', 'DefaultScope'), ('logging', 'MMLogger')):
        found = sys.modules.get(f'mmengine.{module}')
        if found is not None:
            getattr(found, name)._instance_dict.clear()


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request):
    """The CPU in the default tests, where it proves the code of the test; a GPU."""
    import torch

    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    return torch.device(request.param)


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder with the developers' real data packs; skips where it is absent."""
    default = Path(__file__).parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MSBREG_SHARED_DATA', default))
    if not folder.is_dir():
        pytest.skip('real data packs are not here (set MSBREG_SHARED_DATA)')
    return folder
