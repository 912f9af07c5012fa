"""What can be known before the first step stops a run there, in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from fake_coco import write_coco
from mmengine.config import Config
from PIL import Image

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions
from msbreg_mm.utils.errors import DataError, InputError, MissingInputError

ROOT = Path(__file__).parents[2]
DETECTION = """
_base_ = ['{repo}/configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py']
classes = {classes!r}
train = _base_.train_dataloader.dataset
val = _base_.val_dataloader.dataset
for data in (train, val):
    data.update(data_root={root!r}, metainfo=dict(classes=classes))
train_dataloader = dict(dataset=train, batch_size=2)
val_dataloader = test_dataloader = dict(dataset=val)
val_evaluator = test_evaluator = dict(ann_file={root!r} + 'annotations/val.json')
two = dict(num_classes=2)
model = dict(roi_head=dict(bbox_head=two, mask_head=two))
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = []
"""


@pytest.fixture(autouse=True)
def no_layout(monkeypatch):
    """Laying out the text of the config takes most of the time of a start."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))


def detection(tmp_path, classes=('a', 'b'), **options):
    root = f'{tmp_path}/data/'
    path = tmp_path / 'config.py'
    path.write_text(DETECTION.format(repo=ROOT, root=root, classes=classes))
    return launch(tmp_path, path, options)


def launch(tmp_path, config, options):
    work_dir = str(tmp_path / 'work')
    return build_runner(
        LaunchOptions(str(config), work_dir=work_dir, seed=0, cfg_options=options)
    )


def refused(runner, match, error=DataError):
    with pytest.raises(error, match=match) as caught:
        runner.train()
    assert isinstance(caught.value, InputError)
    assert not list(Path(runner.work_dir).glob('*.pth'))


def edit_json(root, change, split='val'):
    path = root / 'annotations' / f'{split}.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_good_run_trains_and_replaces_bad_images(tmp_path, caplog):
    root = write_coco(tmp_path / 'data')
    (root / 'JPEGImages/train2.png').write_bytes(b'')
    runner = detection(tmp_path)
    runner.train()
    assert list(runner.bad_images.files) == [str(root / 'JPEGImages/train2.png')]
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert 'skipped a bad image (1 so far)' in log
    assert '1 images could not be read so far' in log
    assert (tmp_path / 'work/bad_images.jsonl').is_file()


def test_too_many_bad_images_are_one_line(tmp_path):
    root = write_coco(tmp_path / 'data')
    for index in (1, 3):
        (root / f'JPEGImages/train{index}.png').write_bytes(b'')
    message = r'2 bad images are more than bad_images.max_count.*=1.*train[13]\.png'
    refused(detection(tmp_path), message, ValueError)


def test_bad_image_to_be_scored_is_an_error(tmp_path):
    root = write_coco(tmp_path / 'data')
    (root / 'JPEGImages/val2.png').write_bytes(b'')
    runner = detection(tmp_path)
    with pytest.raises(InputError, match=r'cannot decode .*val2\.png'):
        runner.train()


DETECTION_FAULTS = {
    'no class of the config': (
        {'classes': ('A', 'B')},
        None,
        r"has no class 'A', 'B'; .* it has: 'a', 'b'",
    ),
    'other order in the config': (
        {'classes': ('b', 'a')},
        None,
        r"'b', 'a'",
    ),
    'head of another size': (
        {'model.roi_head.bbox_head.num_classes': 1},
        None,
        r'model.roi_head.bbox_head has num_classes=1, but .* 2 classes',
    ),
    'mask head of another size': (
        {'model.roi_head.mask_head.num_classes': 3},
        None,
        'model.roi_head.mask_head has num_classes=3',
    ),
    'other order in the file to score by': (
        {},
        lambda root: edit_json(root, lambda c: c['categories'].reverse()),
        "order of the list of categories|order of the file, 'b', 'a'",
    ),
    'other order in the file to train on': (
        {},
        lambda root: edit_json(root, lambda c: c['categories'].reverse(), 'train'),
        "order of the file, 'b', 'a'",
    ),
    'object without a mask': (
        {},
        lambda root: edit_json(
            root, lambda c: c['annotations'][0].pop('segmentation'), 'train'
        ),
        r'missing-mask .*annotation 1 in train1\.png',
    ),
    'no area': (
        {},
        lambda root: edit_json(
            root, lambda c: c['annotations'][1].pop('area'), 'train'
        ),
        r'malformed-record .*annotation 2 in train1\.png: no area',
    ),
    'id of 0': (
        {},
        lambda root: edit_json(root, lambda c: c['annotations'][0].update(id=0)),
        r'not-scored .*annotation 0 .*ids begin at 1',
    ),
    'polygon of infinity': (
        {},
        lambda root: edit_json(
            root,
            lambda c: c['annotations'][0].update(
                segmentation=[[1, 1, 9, 1, float('inf'), 9]]
            ),
            'train',
        ),
        r'malformed-mask .*annotation 1 in train1\.png: inf in a polygon',
    ),
    'nothing to score': (
        {},
        lambda root: edit_json(root, lambda c: c.update(images=[], annotations=[])),
        'val',
    ),
    'nothing to train on': (
        {},
        lambda root: edit_json(root, lambda c: c.update(annotations=[]), 'train'),
        'no image has an object that can be used',
    ),
    'half a file': (
        {},
        lambda root: (root / 'annotations/train.json').write_text('{"images": ['),
        'unreadable-annotation',
    ),
    'gone image to score': (
        {},
        lambda root: (root / 'JPEGImages/val3.png').unlink(),
        r'val_dataloader: 1 of 4 listed files are not there: .*val3\.png',
    ),
    'gone images to train on': (
        {},
        lambda root: [
            (root / f'JPEGImages/train{index}.png').unlink() for index in (1, 2)
        ],
        r'train_dataloader: 2 of 4 listed files .*train1\.png',
    ),
    'fewer images than a batch': (
        {'train_dataloader.batch_size': 8, 'train_dataloader.drop_last': True},
        None,
        r'4 images give no complete batch of 8, and drop_last=True',
    ),
    'no epoch': ({'train_cfg.max_epochs': 0}, None, 'max_epochs=0: no step'),
}


@pytest.mark.parametrize('name', DETECTION_FAULTS)
def test_detection(tmp_path, name):
    options, change, match = DETECTION_FAULTS[name]
    root = write_coco(tmp_path / 'data')
    if change is not None:
        change(root)
    classes = {key: options[key] for key in options if key == 'classes'}
    others = {key: options[key] for key in options if key != 'classes'}
    refused(detection(tmp_path, **classes, **others), match)


def test_other_files_to_score_and_to_score_by(tmp_path):
    write_coco(tmp_path / 'data')
    write_coco(tmp_path / 'more', num_images=2)
    by = {'val_evaluator.ann_file': f'{tmp_path}/more/annotations/val.json'}
    refused(detection(tmp_path, **by), 'its ann_file has no image with the id')


def test_what_the_reader_leaves_out_is_said(tmp_path):
    def zero(content, split):
        content['annotations'][0]['bbox'][2] = 0

    write_coco(tmp_path / 'data', zero)
    runner = detection(tmp_path)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.call_hook('before_run')
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert 'zero-area-box' in log


def images(folder, count):
    folder.mkdir(parents=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f'{index}.jpg')


PRETRAIN = ROOT / 'configs/demo/msbreg_resnet18-w16_1xb64-coslr-24e_shapes.py'


def test_pretraining_with_fewer_images_than_a_batch(tmp_path):
    images(tmp_path / 'data/unlabelled', 20)
    runner = launch(tmp_path, PRETRAIN, {'data_root': f'{tmp_path}/data/'})
    refused(runner, '20 images give no complete batch of 64')


def test_pretraining_leaves_out_a_bad_image_of_a_set_in_memory(tmp_path):
    images(tmp_path / 'data/unlabelled', 6)
    bad = tmp_path / 'data/unlabelled/3.jpg'
    bad.write_bytes(bad.read_bytes()[:300])
    options = {'data_root': f'{tmp_path}/data/', 'train_dataloader.batch_size': 2}
    runner = launch(tmp_path, PRETRAIN, options)
    loop = runner.build_train_loop(runner._train_loop)
    assert len(loop.dataloader.dataset) == 5
    runner = launch(tmp_path, PRETRAIN, {**options, 'bad_images.max_count': 0})
    refused(runner, r'1 of 6 images .*3\.jpg', ValueError)


def test_pretraining_without_images(tmp_path):
    (tmp_path / 'data/unlabelled').mkdir(parents=True)
    runner = launch(tmp_path, PRETRAIN, {'data_root': f'{tmp_path}/data/'})
    refused(runner, 'no images below')


CLASSES = ROOT / 'configs/demo/finetune_r18-w16_30e_flowers17.py'


def test_metric_that_needs_more_classes(tmp_path):
    for split in ('train', 'val'):
        for name in ('cat', 'dog', 'eel'):
            images(tmp_path / 'data' / split / name, 2)
    options = {
        'data_root': f'{tmp_path}/data/',
        'model.head.num_classes': 3,
        'train_dataloader.batch_size': 2,
        'val_evaluator': [{'type': 'Accuracy', 'topk': (1, 5)}],
    }
    runner = launch(tmp_path, CLASSES, options)
    refused(runner, r'top-5 accuracy needs at least 5 classes, there are 3')


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingInputError, match='data'):
        launch(tmp_path, PRETRAIN, {'data_root': f'{tmp_path}/nowhere/'})
