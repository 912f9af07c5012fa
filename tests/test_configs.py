"""Every config builds its model, one batch of its data and its optimizer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from PIL import Image

from msbreg_mm.engine.launch import LaunchOptions, resolve_config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    # Ablations are lists of changes; tests/ablation builds what they make.
    if '_base_' not in path.parts and 'ablations' not in path.parts
)


def write_image(path, size=(160, 120)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_npz(path):
    """Eight encoded images in one file, as the cifar10_24k pack has them."""
    image = path.parent / '0.jpg'
    write_image(image, size=(32, 32))
    encoded = np.frombuffer(image.read_bytes(), np.uint8)
    offset = np.arange(9) * len(encoded)
    np.savez(path, jpeg=np.tile(encoded, 8), offset=offset, label=np.arange(8) % 2)


def write_coco(root, ann_file, img_prefix):
    """One annotation file in COCO's layout, with all 80 category ids of COCO."""
    images, annotations = [], []
    for index in range(4):
        write_image(root / img_prefix / f'{index}.jpg')
        images.append(dict(id=index, file_name=f'{index}.jpg', width=160, height=120))
        box = [20, 20, 60, 50]
        polygon = [20, 20, 80, 20, 80, 70, 20, 70]
        annotations.append(
            dict(
                id=index + 1,
                image_id=index,
                category_id=1,
                bbox=box,
                iscrowd=0,
                area=3000,
                segmentation=[polygon],
            )
        )
    path = root / ann_file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path, dict(images=images, annotations=annotations)


def write_data(cfg, root):
    """Make the layout that the config's data sets ask for, tiny."""
    for name in ('train_dataloader', 'val_dataloader'):
        dataset = (cfg.get(name) or {}).get('dataset')
        if not dataset:
            continue
        prefix = dataset.get('data_prefix', '')
        if str(dataset.get('ann_file')).endswith('.npz'):
            write_npz(root / dataset.ann_file)
        elif 'ann_file' in dataset and str(dataset.ann_file).endswith('.json'):
            path, content = write_coco(root, dataset.ann_file, prefix['img'])
            classes = (dataset.get('metainfo') or {}).get('classes')
            if classes is None:
                from mmdet.datasets import CocoDataset

                classes = CocoDataset.METAINFO['classes']
            content['categories'] = [
                dict(id=i + 1, name=c) for i, c in enumerate(classes)
            ]
            path.write_text(json.dumps(content))
        elif not isinstance(prefix, str) or 'ann_file' not in dataset:
            folder = prefix if isinstance(prefix, str) else prefix.get('img_path', '')
            for index in range(4):
                write_image(root / folder / f'{index}.jpg')


@pytest.mark.parametrize('config', CONFIGS)
def test_config_builds(config, tmp_path):
    root = tmp_path / 'data'
    root.mkdir()
    options = LaunchOptions(
        config=str(ROOT / config),
        work_dir=str(tmp_path / 'work'),
        cfg_options={'data_root': str(root)},
    )
    cfg = resolve_config(options)
    write_data(cfg, root)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            cfg[name].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.update(batch_size=2)
    cfg.visualizer = None

    torch.manual_seed(0)
    runner = Runner.from_cfg(cfg)
    batch = next(iter(runner.build_dataloader(cfg.train_dataloader)))
    inputs = batch['inputs']
    assert len(inputs) >= 1
    optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    groups = optim_wrapper.optimizer.param_groups
    trained = {id(p) for group in groups for p in group['params'] if p.requires_grad}
    wanted = {id(p) for p in runner.model.parameters() if p.requires_grad}
    assert trained == wanted


@pytest.mark.parametrize('config', CONFIGS)
def test_leaf_config_is_short(config):
    lines = (ROOT / config).read_text().splitlines()
    assert len(lines) <= 40, f'{config} has {len(lines)} lines; move some to _base_'
