import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_class_data import forget_md5, write_layout
from mmengine.config import Config
from PIL import Image
from torch import nn

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.evaluation.extraction import describe_dataset
from msbreg_mm.runs.class_check import check_labels
from msbreg_mm.runs.config import LaunchOptions
from msbreg_mm.runs.data_check import check_data
from msbreg_mm.utils.upstream import import_scope

import_scope('mmpretrain')

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/demo/finetune_r18-w16_30e_flowers17.py'


def write_split(root, counts):
    """``counts``: class folder: number of images."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.new('RGB', (8, 8)).save(root / name / f'{index}.jpg')


def check(runner, allow_empty=False):
    check_labels(
        runner.model,
        runner.train_dataloader.dataset,
        runner.val_dataloader.dataset if runner.val_loop else None,
        runner.logger,
        allow_empty,
    )


def runner_of(tmp_path, train, val=None, num_classes=3):
    """What the hook sees of a runner."""
    from mmpretrain.datasets import CustomDataset

    sets = {}
    for split, counts in {'train': train, 'val': val}.items():
        if counts is not None:
            write_split(tmp_path / split, counts)
            sets[split] = CustomDataset(data_root=str(tmp_path), data_prefix=split)
    head = nn.Module()
    head.num_classes = num_classes
    model = nn.Module()
    model.head = head
    loader = {f'{s}_dataloader': SimpleNamespace(dataset=d) for s, d in sets.items()}
    return SimpleNamespace(
        model=model,
        val_loop=None if val is None else object(),
        logger=logging.getLogger('class check'),
        **loader,
    )


GOOD = {'cat': 2, 'dog': 3, 'eel': 2}


def test_silent_on_good_data(tmp_path, caplog):
    check(runner_of(tmp_path, GOOD, GOOD))
    assert not [record for record in caplog.records if record.name == 'class check']


@pytest.mark.parametrize(
    ('train', 'val', 'num_classes', 'match'),
    [
        (GOOD, None, 10, r'train .* has 3 classes \(cat, dog, eel\).*num_classes=10; '),
        (GOOD, GOOD | {'fox': 1}, 3, r'val .* has 4 classes .*num_classes=3'),
        (GOOD | {'eel': 0}, GOOD, 3, r"1 of 3 classes \('eel'\) have no image to tr"),
        (GOOD, {'cat': 1, 'cow': 1, 'dog': 1}, 3, r"class 1 is 'dog' in .* and 'cow'"),
    ],
)
def test_bad_folders(tmp_path, train, val, num_classes, match):
    runner = runner_of(tmp_path, train, val, num_classes)
    with pytest.raises(ValueError, match=match):
        check(runner)


def test_labels_out_of_range(tmp_path):
    from mmpretrain.datasets import CustomDataset

    runner = runner_of(tmp_path, GOOD, num_classes=3)
    (tmp_path / 'list.txt').write_text('cat/0.jpg 1\ndog/0.jpg 3\n')
    runner.train_dataloader.dataset = CustomDataset(
        data_root=str(tmp_path), ann_file='list.txt', data_prefix='train'
    )
    with pytest.raises(
        ValueError, match=r'list.txt\) has labels from 1 to 3, but .*0 t'
    ):
        check(runner)


def test_warnings(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    train = {'cat': 1, 'dog': 0, 'eel': 2}
    runner = runner_of(tmp_path, train, {'cat': 1, 'dog': 0, 'eel': 1})
    check(runner, allow_empty=True)
    first, second = (r.message for r in caplog.records if r.name == 'class check')
    assert "1 of 3 classes ('cat') have a single image to train on" in first
    assert 'val (' in second
    assert "1 of 3 classes ('dog') have no image; means" in second


def test_several_labels_and_data_sets(tmp_path):
    from mmengine.dataset import BaseDataset, ConcatDataset

    class MultiLabel(BaseDataset):
        METAINFO = {'classes': ('cat', 'dog')}

        def load_data_list(self):
            return [dict(gt_label=[0]), dict(gt_label=[], gt_label_difficult=[1])]

    runner = runner_of(tmp_path, GOOD, num_classes=2)
    runner.train_dataloader.dataset = ConcatDataset([MultiLabel(), MultiLabel()])
    with pytest.raises(ValueError, match=r"1 of 2 classes \('dog'\) have no image"):
        check(runner)


def test_model_without_classes(tmp_path):
    runner = runner_of(tmp_path, GOOD)
    runner.model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match='Linear has no head with num_classes'):
        check(runner)


def test_before_training_starts(tmp_path):
    """The real thing: 17 class folders, a head for 10, nothing is trained."""
    for split in ('train', 'val'):
        write_split(tmp_path / split, {f'flower{i:02}': 2 for i in range(17)})
    runner = build_runner(
        LaunchOptions(
            str(CONFIG),
            work_dir=str(tmp_path / 'work'),
            cfg_options={'data_root': str(tmp_path), 'model.head.num_classes': 10},
        )
    )
    with pytest.raises(
        ValueError, match=r'17 classes .*num_classes=10; set model.head'
    ):
        runner.train()
    assert runner.iter == 0
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_data_files(tmp_path):
    cfg = Config(dict(data_root=str(tmp_path), data_files=['a|b/c', 'd']))
    with pytest.raises(
        FileNotFoundError, match=r'a and .*b/c not found.* a or b/c, d\.'
    ):
        check_data(cfg)
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'c').touch()
    with pytest.raises(FileNotFoundError, match=r'/d not found.*Nothing is downloaded'):
        check_data(cfg)
    (tmp_path / 'd').touch()
    check_data(cfg)
    check_data(Config(dict(data_root='s3://bucket', data_files=['d'])))


def test_data_sets_without_a_folder_of_images_have_a_name(tmp_path, monkeypatch):
    forget_md5(monkeypatch)
    from mmpretrain.datasets import CIFAR10

    write_layout('cifar10', tmp_path)
    dataset = CIFAR10(data_root=str(tmp_path / 'cifar10'), download=False)
    assert describe_dataset(dataset) == str(tmp_path / 'cifar10')
