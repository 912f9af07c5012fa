"""Where mmcv._ext comes from, and what it says about ops that it has not."""

import importlib
import pkgutil
import subprocess
import sys
from importlib.util import find_spec

import mmcv.ops
import pytest
import torch
from mmengine.utils.dl_utils.misc import mmcv_full_available

from msbreg_mm import ops


def run_python(code, **environment):
    """Run code in a fresh interpreter; return what it wrote, errors included."""
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={'OMP_NUM_THREADS': '1', 'PATH': '', **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def fake_mmcv(folder, ext):
    """An mmcv whose compiled module is the given source."""
    package = folder / 'mmcv'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / '_ext.py').write_text(ext)
    return str(folder)


def test_every_wrapper_of_mmcv_imports():
    for module in pkgutil.iter_modules(mmcv.ops.__path__):
        importlib.import_module(f'mmcv.ops.{module.name}')


def test_the_spec_is_that_of_a_source_file():
    spec = find_spec('mmcv._ext')
    assert spec.origin.endswith('mmcv_ext.py')
    assert spec.loader is not None
    assert mmcv_full_available()
    assert importlib.import_module('mmcv._ext').__spec__.name == 'mmcv._ext'


def test_installing_twice_adds_one_finder():
    before = list(sys.meta_path)
    ops.install()
    assert sys.meta_path == before


def test_other_names_are_not_found():
    assert find_spec('mmcv._no_such_module') is None


def test_importing_the_package_imports_nothing_heavy():
    # mmengine without torch, 0.15 s: it must learn of msbreg_mm:: in _base_.
    heavy = ('torch', 'cv2', 'mmcv', 'mmdet', 'mmpretrain', 'timm')
    code = f'import sys, msbreg_mm; print([m for m in {heavy} if m in sys.modules])'
    assert run_python(code).strip() == '[]'


def test_a_compiled_mmcv_is_left_alone(tmp_path):
    folder = fake_mmcv(tmp_path, 'nms = "compiled"')
    code = 'import msbreg_mm, mmcv._ext; print(mmcv._ext.nms, mmcv._ext.__file__)'
    name, path = run_python(code, PYTHONPATH=folder).split()
    assert name == 'compiled'
    assert path.startswith(folder)


def test_the_error_of_a_broken_compiled_mmcv_is_shown(tmp_path):
    folder = fake_mmcv(tmp_path, 'raise ImportError("undefined symbol: _ZN3c10")')
    code = (
        'import msbreg_mm\n'
        'try:\n    import mmcv._ext\n'
        'except ImportError as error:\n    print(error)'
    )
    assert 'undefined symbol' in run_python(code, PYTHONPATH=folder)


def test_without_mmcv_the_error_names_mmcv():
    code = (
        'import sys, msbreg_mm\nsys.modules["mmcv"] = None\n'
        'try:\n    import mmcv._ext\n'
        'except ModuleNotFoundError as error:\n    print(error)'
    )
    assert 'mmcv' in run_python(code)


def test_upstream_imports_without_warnings_about_missing_ops():
    code = (
        'import msbreg_mm\n'
        'import mmcv.cnn.bricks.transformer\n'
        'import mmdet, mmdet.apis, mmdet.datasets, mmdet.engine, mmdet.evaluation\n'
        'import mmdet.models, mmdet.models.dense_heads.clr_head\n'
        'import mmpretrain.models, mmpretrain.apis'
    )
    output = run_python(code).lower()
    for noise in ('fail to import', 'mmcv-lite', 'not compiled', 'warn'):
        assert noise not in output, output


def test_an_op_that_is_not_provided_says_so_when_called():
    boxes = torch.tensor([[5.0, 5, 4, 4, 0]])
    with pytest.raises(
        NotImplementedError, match=r"'box_iou_rotated'.*MMCV_WITH_OPS=1"
    ):
        mmcv.ops.box_iou_rotated(boxes, boxes)


def test_missing_sync_bn_names_the_one_of_pytorch():
    ext = importlib.import_module('mmcv._ext')
    with pytest.raises(NotImplementedError, match="type='SyncBN'"):
        ext.sync_bn_forward_mean(torch.zeros(1), torch.zeros(1))


def test_private_names_are_no_ops():
    ext = importlib.import_module('mmcv._ext')
    with pytest.raises(AttributeError, match='_private'):
        ext._private  # noqa: B018


def test_versions_are_texts_for_the_environment_report():
    assert 'torchvision' in mmcv.ops.get_compiler_version()
    assert mmcv.ops.get_compiling_cuda_version() == 'not available'
