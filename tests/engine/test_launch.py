from pathlib import Path

import pytest
import torch

from msbreg_mm.checkpoints import CheckpointError
from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.utils.errors import MissingInputError

ROOT = Path(__file__).parents[2]
HEADLINE = str(ROOT / 'configs/msbreg_r50_imagenet.py')
COCO = str(ROOT / 'configs/transfer/coco/mask-rcnn_r50-fpn_1x_coco.py')


def resolve(config=HEADLINE, **kwargs):
    return resolve_config(LaunchOptions(config=config, **kwargs))


def test_data_root_moves_the_whole_data_set():
    cfg = resolve(COCO, cfg_options={'data_root': '/elsewhere'})
    assert cfg.train_dataloader.dataset.data_root == '/elsewhere/'
    assert cfg.val_dataloader.dataset.data_root == '/elsewhere/'
    expected = '/elsewhere/annotations/instances_val2017.json'
    assert cfg.val_evaluator.ann_file == expected
    assert 'data/coco' not in cfg.pretty_text


def test_work_dir_names_config_checkpoint_and_seed(tmp_path):
    checkpoint = tmp_path / 'moco.pth'
    checkpoint.touch()
    cfg = resolve(COCO, checkpoint=str(checkpoint), seed=3)
    expected = Path('work_dirs', 'mask-rcnn_r50-fpn_1x_coco', 'moco', 'seed3')
    assert Path(cfg.work_dir) == expected
    assert cfg.randomness.seed == 3
    assert cfg.randomness.diff_rank_seed is True
    assert cfg.custom_hooks[-1]['checkpoint'] == str(checkpoint)


def test_checkpoint_keeps_the_hooks_of_the_config():
    cfg = resolve(checkpoint='random')
    names = [hook['type'] for hook in cfg.custom_hooks]
    assert names == [
        'msbreg_mm.TargetEMAHook',
        'msbreg_mm.EmbeddingMonitorHook',
        'msbreg_mm.PretrainedBackboneHook',
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_config_is_adapted_to_a_cpu():
    cfg = resolve()
    assert cfg.optim_wrapper.type == 'msbreg_mm.CPUAmpOptimWrapper'
    assert 'loss_scale' not in cfg.optim_wrapper
    assert cfg.sync_bn is None
    assert cfg.train_dataloader.pin_memory is False


def test_auto_scale_lr():
    assert resolve(auto_scale_lr=True).auto_scale_lr.enable is True
    with pytest.raises(ValueError, match=r'needs auto_scale_lr\.base_batch_size'):
        resolve(auto_scale_lr=True, cfg_options={'auto_scale_lr': {'_delete_': True}})


def test_resume_auto_finds_the_latest(tmp_path):
    assert resolve(resume='auto', work_dir=str(tmp_path)).load_from is None
    latest = tmp_path / 'epoch_2.pth'
    latest.touch()
    # the folder was moved after the pointer had been written
    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    cfg = resolve(resume='auto', work_dir=str(tmp_path))
    assert cfg.load_from == str(latest)
    assert cfg.resume is True


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no config file nowhere\.py'):
        resolve('nowhere.py')
    with pytest.raises(FileNotFoundError, match=r'no checkpoint nowhere\.pth'):
        resolve(checkpoint='nowhere.pth')
    options = LaunchOptions(
        config=HEADLINE,
        work_dir=str(tmp_path),
        cfg_options={'data_root': str(tmp_path / 'nothing')},
    )
    with pytest.raises(FileNotFoundError, match=r"nothing/' does not exist; pass"):
        build_runner(options)


def test_missing_parts_of_a_data_set_are_named(tmp_path):
    options = LaunchOptions(
        config=COCO, work_dir=str(tmp_path), cfg_options={'data_root': str(tmp_path)}
    )
    with pytest.raises(FileNotFoundError, match=r'train_dataloader: .*train2017'):
        build_runner(options)
    (tmp_path / 'train2017').mkdir()
    with pytest.raises(FileNotFoundError, match=r'instances_train2017\.json does not'):
        build_runner(options)


def test_every_part_of_joined_data_sets_is_looked_for(tmp_path):
    config = str(ROOT / 'configs/transfer/seg/fcn_r50-d8_20k_voc12aug.py')
    lists = tmp_path / 'ImageSets' / 'Segmentation'
    for folder in ('JPEGImages', 'SegmentationClass', lists):
        (tmp_path / folder).mkdir(parents=True)
    (lists / 'train.txt').touch()
    options = LaunchOptions(
        config=config,
        work_dir=str(tmp_path / 'work'),
        cfg_options={'data_root': str(tmp_path)},
    )
    with pytest.raises(MissingInputError, match=r'train_dataloader: .*ClassAug does'):
        build_runner(options)
    (tmp_path / 'SegmentationClassAug').mkdir()
    with pytest.raises(MissingInputError, match=r'train_dataloader: .*/aug\.txt does'):
        build_runner(options)


def test_load_from_is_checked_without_resume_too(tmp_path):
    """mmengine would open it with an unrestricted pickle."""
    (tmp_path / 'train').mkdir()
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'module.pth')
    for path, message in {
        str(tmp_path / 'module.pth'): r'module\.pth asks for code',
        'https://example.org/x.pth': 'is an address; fetch the file',
    }.items():
        options = LaunchOptions(
            config=HEADLINE,
            work_dir=str(tmp_path / 'work'),
            cfg_options={'data_root': str(tmp_path), 'load_from': path},
        )
        with pytest.raises(CheckpointError, match=message):
            build_runner(options)
    assert not (tmp_path / 'work').exists()
