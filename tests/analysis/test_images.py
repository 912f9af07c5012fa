import copy
import random

import numpy as np
import pytest
import torch

from msbreg_mm.datasets.sample import find_split, sample_images
from msbreg_mm.utils.random import seeded


def test_clean_images_are_those_of_the_files(tiny_cfg):
    sample = sample_images(tiny_cfg, 'val', max_images=6, views=2)
    assert sample.images.shape == (6, 3, 32, 32)
    assert sample.indices == [0, 4, 8, 12, 16, 20]
    assert sample.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert sample.classes == ('blue', 'green', 'red')
    # BGR: the class's own channel is the bright one.
    assert sample.images.float().mean((2, 3)).argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    assert [view.shape for view in sample.views] == [(6, 3, 32, 32)] * 2
    assert not torch.equal(sample.views[0], sample.views[1])


def test_multi_view_pipelines_give_their_views_and_a_centre_crop(tiny_cfg):
    val = sample_images(tiny_cfg, 'val', 4, 0)
    train = sample_images(tiny_cfg, 'train', 4, 5)
    assert len(val.views) == 0
    assert len(train.views) == 3
    assert train.images.shape == val.images.shape
    again = sample_images(tiny_cfg, 'train', 4, 2)
    assert all(map(torch.equal, again.views, train.views))


def test_seeded_restores_all_generators():
    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    first, second = draw(), draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert draw() == first
    with seeded(5):
        inner = draw()
    assert draw() == second
    with seeded(5):
        assert draw() == inner


def test_errors(tiny_cfg, tmp_path):
    with pytest.raises(ValueError, match=r"no test_dataloader.*'val', 'train'"):
        find_split(tiny_cfg, 'test')
    assert find_split(tiny_cfg) == 'val'
    with pytest.raises(ValueError, match=r'max_images must be at least 2.*got 1'):
        sample_images(tiny_cfg, 'val', 1)


def test_data_set_of_one_image(tiny_cfg):
    cfg = copy.deepcopy(tiny_cfg)
    cfg.val_dataloader.dataset.max_images = 1
    with pytest.raises(ValueError, match=r'val \(.*images.*\) has 1 image.*at least 2'):
        sample_images(cfg, 'val')


def test_images_of_different_sizes(tiny_cfg):
    cfg = copy.deepcopy(tiny_cfg)
    cfg.val_dataloader.dataset.pipeline[0] = dict(
        type='RandomResize', scale=[(20, 20), (40, 40)], ratio_range=(0.5, 1.0),
        resize_type='mmcv.Resize', keep_ratio=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match='different sizes'):
        sample_images(cfg, 'val', views=0)
