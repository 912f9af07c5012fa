"""C4's shared head is registered whatever was imported before."""

import subprocess
import sys

import pytest

LEAN = "from msbreg_mm.utils.upstream import import_scope; import_scope('mmpretrain')"
LOOK = (
    'import msbreg_mm.models.res_layer_extra_norm; from mmdet.registry import MODELS; '
    "print(MODELS.get('ResLayerExtraNorm').__name__)"
)


@pytest.mark.parametrize('before', [LEAN, 'import mmpretrain.models', ''])
def test_is_registered(before):
    result = subprocess.run(
        [sys.executable, '-c', f'{before}\n{LOOK}'], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == 'ResLayerExtraNorm'
