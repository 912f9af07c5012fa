"""Shipped configs by name: on the command line, in ``_base_`` and in mmengine.hub."""

import pytest
from mmengine.config import Config
from mmengine.hub import get_config

from msbreg_mm.utils.configs import CONFIG_ROOT, find_config, upstream_cfg_path

BYOL = 'pretrain/byol_resnet50_16xb256-coslr-200e_in1k'
MASK_RCNN = 'transfer/coco/mask-rcnn_r50-fpn_1x_coco'


@pytest.mark.parametrize('name', ['msbreg_r50_imagenet', f'{BYOL}.py', MASK_RCNN])
def test_inherited_from_any_folder_it_is_the_config_itself(name, tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text(f"_base_ = ['msbreg_mm::{name}']\nmine = 3\n")
    found = Config.fromfile(file).to_dict()
    assert found.pop('mine') == 3
    own = CONFIG_ROOT / name
    assert found == Config.fromfile(own.with_suffix('.py')).to_dict()


def test_changes_and_reuse(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text(
        f"_base_ = ['msbreg_mm::{BYOL}.py']\n"
        'model = dict(backbone=dict(depth=18), neck=dict(in_channels=512))\n'
        'again = _base_.model.head\n'
    )
    cfg = Config.fromfile(file)
    assert (cfg.model.backbone.depth, cfg.model.backbone.type) == (18, 'ResNet')
    # built in the scope of the run, not in that of this package
    assert cfg.again == Config.fromfile(CONFIG_ROOT / f'{BYOL}.py').model.head


def test_hub_and_missing_names(tmp_path):
    cfg = get_config(f'msbreg_mm::{BYOL}.py')
    assert cfg.model.type == 'BYOL'
    file = tmp_path / 'mine.py'
    file.write_text("_base_ = ['msbreg_mm::pretrain/no.py']\n")
    with pytest.raises(FileNotFoundError, match=r'pretrain/no\.py'):
        Config.fromfile(file)
    assert str(find_config('a/b.py')) == 'a/b.py'
    assert find_config(f'msbreg_mm::{BYOL}') == CONFIG_ROOT / f'{BYOL}.py'


@pytest.mark.parametrize('name', [BYOL, MASK_RCNN])
def test_bases_of_upstream_are_those_that_mmengine_finds(name, monkeypatch):
    file = CONFIG_ROOT / f'{name}.py'
    found = Config.fromfile(file, import_custom_modules=False).to_dict()
    monkeypatch.setattr(Config, '_get_cfg_path', staticmethod(upstream_cfg_path))
    assert Config.fromfile(file, import_custom_modules=False).to_dict() == found
