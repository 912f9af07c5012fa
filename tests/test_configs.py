"""Every config builds its model, one batch of its data and its optimizer."""

from pathlib import Path

import pytest
import torch
from fake_data import write_coco, write_image, write_npz, write_voc
from mmengine.runner import Runner

from msbreg_mm.runs.config import LaunchOptions, resolve_config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    # Ablations are lists of changes; tests/ablation builds what they make.
    if '_base_' not in path.parts and 'ablations' not in path.parts
)


def leaves(dataset):
    """The data sets inside wrappers."""
    parts = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
    return [leaf for part in parts for leaf in leaves(part)] if parts else [dataset]


def coco_classes():
    from mmdet.datasets import CocoDataset

    return CocoDataset.METAINFO['classes']


def write_data(cfg, root):
    """Make the layout that the config's data sets ask for, tiny."""
    loaders = [cfg.get(name) for name in ('train_dataloader', 'val_dataloader')]
    for loader in filter(None, loaders):
        for dataset in leaves(loader.dataset):
            write_dataset(dataset, root)


def write_dataset(dataset, root):
    prefix = dataset.get('data_prefix', '')
    ann_file = str(dataset.get('ann_file', ''))
    if ann_file.endswith('.npz'):
        write_npz(root / ann_file)
    elif ann_file.endswith('.json'):
        classes = (dataset.get('metainfo') or {}).get('classes') or coco_classes()
        write_coco(root, ann_file, prefix['img'], classes)
    elif dataset.type.endswith(('VOCDataset', 'VOCDetectionDataset')):
        write_voc(root / prefix['sub_data_root'], {Path(ann_file).stem: 4})
    elif not isinstance(prefix, str) or 'ann_file' not in dataset:
        folder = prefix if isinstance(prefix, str) else prefix.get('img_path', '')
        for index in range(4):
            write_image(root / folder / f'{index}.jpg', seed=index)


# test_seg_configs.py and test_classification_configs.py train these for two steps.
ELSEWHERE = ('/classification/', '/fcn_', 'demo/finetune', 'demo/probe', 'demo/superv')


@pytest.mark.parametrize(
    'config', [c for c in CONFIGS if not any(part in c for part in ELSEWHERE)]
)
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
