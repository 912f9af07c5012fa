"""The VOC07 protocol from image files to mAP, against scikit-learn alone."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.probes import Probe
from msbreg_mm.registry import PROBES

CLASSES = ('cat', 'bus', 'dog')
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220]])
COSTS = (0.1, 1.0, 10.0)
SPLITS = {'trainval': 45, 'test': 36}


if 'RememberFeatures' not in PROBES:

    @PROBES.register_module()
    class RememberFeatures(Probe):
        """Keeps the features that the loop hands to the probes."""

        name = 'remember'
        sets: tuple[FeatureSet, FeatureSet]

        def __call__(self, train: FeatureSet, val: FeatureSet, seed: int) -> dict:
            type(self).sets = train, val
            return {}


def write_voc(root: Path) -> None:
    """Images of coloured stripes, an object each; some objects are difficult."""
    rng = np.random.default_rng(0)
    number = 0
    for split, count in SPLITS.items():
        stems = []
        for _ in range(count):
            stem = f'{number:06}'
            stems.append(stem)
            pixels = rng.integers(60, 200, (32, 32, 3))
            top = ElementTree.Element('annotation')
            present = np.flatnonzero(rng.random(3) < 0.45)
            for place, c in enumerate(present):
                pixels[:, 10 * place : 10 * place + 9] = COLOURS[c]
                # Now and then of the same class both a plain and a difficult object.
                for difficult in rng.choice(2, rng.integers(1, 3), p=(0.75, 0.25)):
                    item = ElementTree.SubElement(top, 'object')
                    ElementTree.SubElement(item, 'name').text = CLASSES[c]
                    ElementTree.SubElement(item, 'difficult').text = str(difficult)
            pixels = np.clip(pixels + rng.normal(0, 40, pixels.shape), 0, 255)
            for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
                (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(
                root / 'JPEGImages' / f'{stem}.jpg'
            )
            ElementTree.ElementTree(top).write(root / 'Annotations' / f'{stem}.xml')
            number += 1
        lines = '\n'.join(stems) + '\n'
        (root / 'ImageSets/Main' / f'{split}.txt').write_text(lines)


def read_voc(root: Path, split: str) -> np.ndarray:
    """Labels by the devkit's rule: 1, -1 absent, 0 if all objects are difficult."""
    rows = []
    for stem in (root / 'ImageSets/Main' / f'{split}.txt').read_text().split():
        flags: dict[str, list[int]] = {name: [] for name in CLASSES}
        top = ElementTree.parse(root / 'Annotations' / f'{stem}.xml').getroot()
        for item in top.iter('object'):
            flags[item.findtext('name')].append(int(item.findtext('difficult')))
        rows.append([0 if f and all(f) else (1 if f else -1) for f in flags.values()])
    return np.array(rows)


def config(root: Path, work_dir: Path) -> Config:
    def loader(split: str) -> dict[str, Any]:
        pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='PackInputs', meta_keys=('img_path',)),
        ]
        data = dict(
            type='VOC',
            data_root=str(root),
            split=split,
            metainfo=dict(classes=CLASSES),
            pipeline=pipeline,
            test_mode=split == 'test',
        )
        return dict(
            batch_size=16,
            num_workers=0,
            dataset=data,
            sampler=dict(type='DefaultSampler', shuffle=False),
        )

    probes = [
        dict(type='msbreg_mm.SVMProbe', costs=COSTS, shots=(2,), samples=2),
        dict(type='msbreg_mm.RememberFeatures'),
    ]
    return Config(
        dict(
            default_scope='mmpretrain',
            experiment_name='svm-on-voc',
            log_level='ERROR',
            work_dir=str(work_dir),
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[127.0] * 3, std=[64.0] * 3, to_rgb=True),
                backbone=dict(
                    type='ResNet', depth=18, stem_channels=8, base_channels=8
                ),
                neck=dict(type='GlobalAveragePooling'),
            ),
            train_dataloader=loader('trainval'),
            val_dataloader=loader('test'),
            val_cfg=dict(),
            val_evaluator=dict(type='Evaluator', metrics=[]),
            train_cfg=dict(type='msbreg_mm.ProbeLoop', probes=probes, cache_dir=''),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
            default_hooks=dict(checkpoint=None),
            randomness=dict(seed=4),
        )
    )


@pytest.mark.filterwarnings('ignore:Liblinear')
def test_map_is_scikit_learns(tmp_path: Path) -> None:
    write_voc(tmp_path / 'voc')
    runner = Runner.from_cfg(config(tmp_path / 'voc', tmp_path / 'work'))
    runner.train()
    hub = runner.message_hub

    def logged(key: str) -> float:
        return hub.get_scalar(f'val/svm/{key}').current()

    features = [s.features for s in PROBES.get('RememberFeatures').sets]
    x, test_x = (
        f.astype(float) / (np.linalg.norm(f.astype(float), axis=1) + 1e-5)[:, None]
        for f in features
    )
    train, test = (read_voc(tmp_path / 'voc', split) for split in SPLITS)
    assert (train == 0).any()
    assert (test == 0).any()
    expected = []
    for c, name in enumerate(CLASSES):
        y = np.where(train[:, c] == 1, 1, -1)  # VISSL fits on difficult as negative
        svms = [
            LinearSVC(
                C=cost,
                class_weight={1: 2, -1: 1},
                dual=True,
                max_iter=2000,
                random_state=4,
            )
            for cost in COSTS
        ]
        means = [
            cross_val_score(svm, x, y, cv=3, scoring='average_precision').mean()
            for svm in svms
        ]
        scores = svms[int(np.argmax(means))].fit(x, y).decision_function(test_x)
        counted = test[:, c] != 0
        ap = average_precision_score(test[counted, c] == 1, scores[counted])
        assert logged(f'AP_{name}') == 100 * ap
        expected.append(100 * ap)
    assert logged('mAP') == pytest.approx(np.mean(expected), abs=1e-12)
    assert logged('mAP') > 75  # 45 with random scores: the colours are seen
    assert logged('mAP_interpolated') >= logged('mAP')
    assert 0 < logged('mAP_k2') < 100
    assert logged('mAP_k2_std') > 0
