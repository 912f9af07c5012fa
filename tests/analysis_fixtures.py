"""Fixtures: a tiny labelled image set, a config over it, and a checkpoint."""

import numpy as np
import pytest
import torch
from PIL import Image

CONFIG = """
custom_imports = dict(imports=['msbreg_mm.engine'], allow_failed_imports=False)
default_scope = 'mmpretrain'
data_root = {root!r}
model = dict(
    type='BYOL',
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8),
    neck=dict(type='NonLinearNeck', in_channels=64, hid_channels=16, out_channels=12,
              num_layers=2, with_bias=True, with_last_bn=False, with_avg_pool=True,
              norm_cfg=dict(type='BN1d')),
    head=dict(type='LatentPredictHead', loss=dict(type='CosineSimilarityLoss'),
              predictor=dict(type='NonLinearNeck', in_channels=12, hid_channels=16,
                             out_channels=12, with_avg_pool=False,
                             norm_cfg=dict(type='BN1d'))))
data_preprocessor = dict(type='SelfSupDataPreprocessor', to_rgb=True,
                         mean=[120., 110., 100.], std=[60., 60., 60.])
loader = dict(batch_size=8, num_workers=0, drop_last=True,
              sampler=dict(type='DefaultSampler', shuffle=True),
              collate_fn=dict(type='default_collate'))
dataset = dict(type='msbreg_mm.InMemoryImages', data_root=data_root,
               data_prefix='images', with_label=True)
views = [dict(num_views=3, size=32, crop_scale=(0.5, 1.0), solarize_prob=0.0)]
train_dataloader = dict(**loader, dataset=dict(**dataset, pipeline=[
    dict(type='msbreg_mm.MultiViewAugment', views=views), dict(type='PackInputs')]))
val_dataloader = dict(**loader, dataset=dict(**dataset, pipeline=[
    dict(type='CenterCrop', crop_size=32), dict(type='PackInputs')]))
"""


def write_images(root, per_class=8, classes=('blue', 'green', 'red')):
    """Noisy images whose colour is their class."""
    rng = np.random.default_rng(0)
    for index, name in enumerate(classes):
        folder = root / 'images' / name
        folder.mkdir(parents=True)
        for number in range(per_class):
            pixels = rng.integers(0, 90, (40, 40, 3), np.uint8)
            pixels[..., 2 - index % 3] += 150
            Image.fromarray(pixels).save(folder / f'{number}.png')


@pytest.fixture(scope='session')
def tiny_set(tmp_path_factory):
    root = tmp_path_factory.mktemp('tiny')
    write_images(root)
    config = root / 'config.py'
    config.write_text(CONFIG.format(root=str(root)))
    return config


@pytest.fixture(scope='session')
def tiny_cfg(tiny_set):
    from msbreg_mm.runs.config import LaunchOptions, resolve_config
    from msbreg_mm.utils.upstream import import_scope

    import_scope('mmpretrain')
    return resolve_config(LaunchOptions(str(tiny_set)))


@pytest.fixture(scope='session')
def tiny_checkpoint(tiny_cfg, tmp_path_factory):
    """The whole model with drawn weights, as a runner saves it."""
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmpretrain')
    torch.manual_seed(7)
    model = MODELS.build(tiny_cfg.model)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp('checkpoint') / 'byol.pth'
    torch.save({'meta': {'epoch': 1}, 'state_dict': model.state_dict()}, path)
    return path
