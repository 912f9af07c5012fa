"""The spectrum of a pretraining run's last checkpoint."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from PIL import Image
from torch.nn import functional as F

from msbreg_mm.runs.run_config import write_run_config
from msbreg_mm.transfer import spectrum

CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='BYOL',
    data_preprocessor=dict(type='SelfSupDataPreprocessor', mean=[128] * 3,
                           std=[64] * 3, to_rgb=True),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8),
    neck=dict(type='NonLinearNeck', in_channels=64, hid_channels=16, out_channels=8,
              with_avg_pool=True),
    head=dict(type='LatentPredictHead', loss=dict(type='CosineSimilarityLoss'),
              predictor=dict(type='NonLinearNeck', in_channels=8, hid_channels=8,
                             out_channels=8, with_avg_pool=False)),
)
train_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CustomDataset', data_root={root!r}, with_label=False,
        pipeline=[dict(type='LoadImageFromFile'),
                  dict(type='MultiView', num_views=2, transforms=[
                      [dict(type='RandomResizedCrop', scale=32, backend='pillow')]]),
                  dict(type='PackInputs')],
    ),
)
"""


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp('pretraining'), CONFIG)


def write_run(root, config):
    rng = np.random.default_rng(0)
    for index in range(12):
        path = root / 'data' / f'{index}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    vis = root / 'work' / '1' / 'vis_data'
    vis.mkdir(parents=True)
    (vis / 'scalars.json').write_text('')
    file = root / 'config.py'
    file.write_text(config.replace('{root!r}', repr(str(root / 'data'))))
    cfg = Config.fromfile(file)
    write_run_config(vis, cfg)
    import mmpretrain.datasets
    import mmpretrain.models  # noqa: F401

    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict()}, root / 'work' / 'epoch_1.pth')
    return root / 'work'


SWAV = CONFIG.replace('BYOL', 'SwAV').replace(
    CONFIG[CONFIG.index('    neck=') : CONFIG.index('train_dataloader')],
    """    neck=dict(type='SwAVNeck', in_channels=64, hid_channels=16, out_channels=8,
              with_avg_pool=True),
    head=dict(type='SwAVHead', loss=dict(type='SwAVLoss', feat_dim=8, num_crops=[2, 0],
                                         epsilon=0.05, temperature=0.1,
                                         num_prototypes=5)),
)
""",
)


def test_spectrum_of_swav(tmp_path):
    # Its neck takes a list of features and normalises.
    found = spectrum.read_spectrum(write_run(tmp_path, SWAV), images=10)
    assert (found.images, found.dimensions) == (10, 8)


def test_spectrum_of_a_real_model(run):
    found = spectrum.read_spectrum(run, images=10)
    assert (found.images, found.dimensions) == (10, 8)
    values = np.array(found.values)
    assert len(values) == 8
    assert values[0] == 1
    assert (np.diff(values) <= 0).all()
    shares = values[values > 0] / values.sum()
    entropy = -(shares * np.log(shares)).sum()
    assert found.effective_rank == pytest.approx(np.exp(entropy))


def seed_all():
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)


def test_equals_the_models_own_preprocessing_backbone_and_neck(run):
    """The road that the report took before there was one for all."""
    cfg = Config.fromfile(run.parent / 'config.py')
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(run / 'epoch_1.pth')['state_dict'])
    loader = Runner.build_dataloader(dict(cfg.train_dataloader), seed=0)
    parts = []
    seed_all()
    with torch.no_grad():
        for batch in loader:
            view = model.data_preprocessor(batch, training=False)['inputs'][0]
            parts.append(model.neck(model.backbone(view))[0])
    z = F.normalize(torch.cat(parts)[:10], dim=1)
    values = torch.linalg.svdvals(z.double())
    (run / spectrum.CACHE).unlink(missing_ok=True)
    seed_all()
    found = spectrum.read_spectrum(run, images=10)
    assert found.values == pytest.approx((values / values[0]).tolist(), abs=1e-5)


def test_is_computed_once_per_checkpoint(run, monkeypatch):
    first = spectrum.read_spectrum(run, images=10)
    monkeypatch.setattr(spectrum, '_embed', lambda *_: torch.eye(5))
    assert spectrum.read_spectrum(run, images=10) == first
    (run / 'epoch_2.pth').write_bytes((run / 'epoch_1.pth').read_bytes())
    other = spectrum.read_spectrum(run, images=10)
    # five orthogonal embeddings
    assert other.values == [1] * 5
    assert other.effective_rank == pytest.approx(5)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint of a run'):
        spectrum.read_spectrum(tmp_path)
