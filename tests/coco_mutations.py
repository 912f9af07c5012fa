"""Random changes of a COCO set, and what training and scoring it do then."""

import contextlib
import io
import json
import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from hypothesis import strategies as st

from msbreg_mm.datasets.check import check_dataset
from msbreg_mm.utils.child import ChildError, run_in_child
from msbreg_mm.utils.upstream import import_scope

VALUES = st.sampled_from(
    [
        *(None, True, 0, 1, 2, 3, -1, 1.0, 0.5, 1e9, 1e308, '', '1', 'a', [], {}),
        *(float('nan'), float('inf'), -float('inf'), [1], [[1]], 2**40),
    ]
)
BOXES = st.lists(
    st.sampled_from([-30, -1, 0, 0.4, 1, 5, 20, 63.7, 64, 90, '5', None, float('nan')]),
    min_size=3,
    max_size=5,
)
MASKS = st.one_of(
    st.lists(st.lists(st.sampled_from([0, 5, 20.5, 64, 99, '1']), max_size=8)),
    st.sampled_from(
        [
            {'size': [64, 64], 'counts': [100, 50, 3946]},
            {'size': [64, 64], 'counts': [100, 50]},
            {'size': [64, 64], 'counts': [4096]},
            {'size': [32, 32], 'counts': [500, 24, 500]},
            {'size': [64, 64], 'counts': 'PPYo1'},
            {'size': [64, 64], 'counts': '0'},
            {'counts': [4096]},
            {'size': [2**20, 2**20], 'counts': [2**40]},
        ]
    ),
)
FIELDS = {
    'annotations': [
        'id',
        'image_id',
        'category_id',
        'bbox',
        'area',
        'iscrowd',
        'segmentation',
        'ignore',
    ],
    'images': ['id', 'file_name', 'width', 'height'],
    'categories': ['id', 'name'],
}


@st.composite
def changes(draw: Any) -> tuple:
    """One change: (what, list, record, field, value)."""
    key = draw(st.sampled_from(['annotations', 'annotations', 'images', 'categories']))
    what = draw(
        st.sampled_from(['set', 'set', 'set', 'drop', 'twice', 'remove', 'turn'])
    )
    field = draw(st.sampled_from(FIELDS[key]))
    value = draw({'bbox': BOXES, 'segmentation': MASKS}.get(field, VALUES))
    return what, key, draw(st.integers(0, 1)), field, value


MUTATIONS = st.lists(changes(), min_size=1, max_size=2)


def apply(content: dict, mutation: list[tuple]) -> None:
    """Change the content of a file, in place."""
    for what, key, index, field, value in mutation:
        records = content[key]
        if what == 'turn':
            records.reverse()
        elif index >= len(records):
            continue
        elif what == 'set':
            records[index][field] = value
        elif what == 'drop':
            records[index].pop(field, None)
        elif what == 'twice':
            records.append(dict(records[index]))
        else:
            del records[index]


def harm(note: Any, root: Path) -> str:
    """What goes wrong when a set is trained on and scored; '' if nothing does."""
    cv2.setNumThreads(0)  # in a forked process OpenCV's threads are not there
    warnings.filterwarnings('ignore')
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return _harm(note, root)
        except Exception as error:
            return f'{type(error).__name__}: {error}'


def _harm(note: Any, root: Path) -> str:
    from mmdet.datasets import CocoDataset
    from mmdet.evaluation import CocoMetric, FasterCocoMetric
    from mmengine.registry import init_default_scope

    import_scope('mmdet')
    init_default_scope('mmdet')

    files = {
        split: json.loads((root / f'annotations/{split}.json').read_text())
        for split in ('train', 'val')
    }
    names = tuple(dict.fromkeys(c['name'] for c in files['train']['categories']))
    labels, samples = {}, {}
    for split, content in files.items():
        note(f'reading {split}')
        records = [a for a in content['annotations'] if not a.get('ignore', False)]
        masks = any(record.get('segmentation') for record in records)
        pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=masks),
            dict(type='PackDetInputs'),
        ]
        data = CocoDataset(
            ann_file=str(root / f'annotations/{split}.json'),
            data_prefix=dict(img=str(root / 'JPEGImages')),
            metainfo=dict(classes=names),
            pipeline=pipeline,
            test_mode=split == 'val',
        )
        by_id = {item['id']: item['name'] for item in content['categories']}
        labels[split] = [by_id[number] for number in data.cat_ids]
        if len(data.cat_ids) > len(names):
            return f'{split}: labels to {len(data.cat_ids)}, classes {names}'
        if len(data) != len(content['images']):
            return f'{split}: {len(data)} of {len(content["images"])} images are read'
        read = [item for i in range(len(data)) for item in _instances(data, i)]
        if len(read) != len(records):
            return f'{split}: {len(read)} of {len(records)} objects are read'
        crowds = sum(bool(record.get('iscrowd')) for record in records)
        samples[split] = [data[index]['data_samples'] for index in range(len(data))]
        ignored = sum(len(sample.ignored_instances) for sample in samples[split])
        if ignored != crowds:
            return f'{split}: {ignored} objects are ignored, {crowds} are crowds'
        for sample in samples[split]:
            boxes = sample.gt_instances.bboxes.numpy()
            if not np.isfinite(boxes).all():
                return f'{split}: a box is not finite'
            if (
                masks
                and len(boxes)
                and not sample.gt_instances.masks.masks.any((1, 2)).all()
            ):
                return f'{split}: a mask has no pixel'
    if labels['train'] != labels['val']:
        return (
            f'labels are {labels["train"]} in training and {labels["val"]} in scoring'
        )
    kinds = ['bbox', 'segm'] if masks else ['bbox']
    for metric in (CocoMetric, FasterCocoMetric):
        note(f'scoring by {metric.__name__}')
        judge = metric(ann_file=str(root / 'annotations/val.json'), metric=kinds)
        judge.dataset_meta = {'classes': names}
        judge.process({}, [_perfect(sample, masks) for sample in samples['val']])
        scores = judge.evaluate(len(samples['val']))
        for kind in kinds:
            if -1 < scores[f'coco/{kind}_mAP_50'] < 0.99:
                return (
                    f'perfect predictions score {kind} {scores[f"coco/{kind}_mAP_50"]}'
                )
    return ''


def _instances(data: Any, index: int) -> list[dict]:
    return data.get_data_info(index)['instances']


def _perfect(sample: Any, masks: bool) -> dict:
    truth = sample.gt_instances
    found = {
        'bboxes': torch.as_tensor(truth.bboxes.numpy()),
        'scores': torch.ones(len(truth)),
        'labels': truth.labels,
    }
    if masks:
        found['masks'] = torch.as_tensor(truth.masks.masks.astype(bool))
    return {**sample.metainfo, 'pred_instances': found}


def verdicts(base: Path, root: Path, where: str, mutation: list[tuple]) -> tuple:
    """Change a copy of a set; returns what the check and what training say."""
    shutil.copytree(base, root)
    for split in ('train', 'val'):
        if where in (split, 'both'):
            path = root / f'annotations/{split}.json'
            content = json.loads(path.read_text())
            apply(content, mutation)
            path.write_text(json.dumps(content))
    found = check_dataset(root, 'coco', progress=False)
    try:
        what = run_in_child(harm, root, memory_gib=4, seconds=120)
    except ChildError as error:
        what = str(error)
    shutil.rmtree(root)
    return found.kinds('error', 'warning'), what
