"""A finished suite without training: predictions are disturbed ground truth."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from msbreg_mm.runs.record import Identity, Record, write_record
from msbreg_mm.runs.run_config import write_run_config

COLUMNS = [('coco/bbox_mAP', 'box AP', 100.0), ('coco/segm_mAP', 'mask AP', 100.0)]
CLASSES = ('disc', 'square')


def write_coco(root: Path, images: int = 4) -> Path:
    """Write a few images with discs and squares, in COCO's layout."""
    rng = np.random.default_rng(0)
    truth = {'images': [], 'annotations': []}
    truth['categories'] = [{'id': i + 1, 'name': n} for i, n in enumerate(CLASSES)]
    (root / 'images').mkdir(parents=True)
    for index in range(images):
        picture = Image.new('RGB', (96, 64), (40, 60, 80))
        draw = ImageDraw.Draw(picture)
        for number in range(2 + index % 2):
            x, y, side = 4 + 30 * number, int(rng.integers(4, 30)), 24
            draw.rectangle((x, y, x + side, y + side), fill=(200, 120, 60))
            polygon = [x, y, x + side, y, x + side, y + side, x, y + side]
            truth['annotations'].append(
                {'id': len(truth['annotations']) + 1, 'image_id': index,
                 'category_id': 1 + number % 2, 'bbox': [x, y, side, side],
                 'area': side**2, 'iscrowd': 0, 'segmentation': [polygon]}
            )  # fmt: skip
        picture.save(root / 'images' / f'{index}.jpg')
        truth['images'].append(
            {'id': index, 'file_name': f'{index}.jpg', 'width': 96, 'height': 64}
        )
    path = root / 'val.json'
    path.write_text(json.dumps(truth))
    return path


def write_job(folder, record, ann_file, image_dir, skill, rng, classes=None):
    """Write what a job leaves behind: log, config, predictions, record."""
    run = folder / '20250101_000000' / 'vis_data'
    run.mkdir(parents=True)
    dataset = dict(
        ann_file=str(ann_file),
        data_prefix=dict(img=str(image_dir)),
        metainfo=dict(classes=classes),
    )
    write_run_config(
        run,
        dict(
            val_dataloader=dict(dataset=dataset),
            val_evaluator=dict(type='FasterCocoMetric', ann_file=str(ann_file)),
        ),
    )
    total = record.schedule['total']
    with (run / 'scalars.json').open('w') as stream:
        for epoch in range(1, total + 1):
            line = {'lr': 1, 'loss': 3 / epoch, 'epoch': epoch, 'iter': 25 * epoch}
            print(json.dumps(line), file=stream)
            if epoch % 2 == 0:
                rise = 1 - np.exp(-epoch / total * 3)
                values = {k: v * rise / 0.95 for k, v in record.metrics.items()}
                print(json.dumps(values | {'step': epoch}), file=stream)
    truth = json.loads(Path(ann_file).read_text())
    results = []
    for annotation in truth['annotations']:
        if rng.random() < skill and not annotation['iscrowd']:
            dx, dy = rng.normal(0, 12 * (1 - skill), 2)
            x, y, w, h = annotation['bbox']
            if isinstance(annotation['segmentation'], list):
                polygons = [
                    [v + (dy if i % 2 else dx) for i, v in enumerate(polygon)]
                    for polygon in annotation['segmentation']
                ]
                from pycocotools import mask as m

                image = next(
                    i for i in truth['images'] if i['id'] == annotation['image_id']
                )
                rle = m.merge(m.frPyObjects(polygons, image['height'], image['width']))
                rle['counts'] = rle['counts'].decode()
                results.append(
                    {'image_id': annotation['image_id'],
                     'category_id': annotation['category_id'],
                     'bbox': [x + dx, y + dy, w, h], 'segmentation': rle,
                     'score': float(np.clip(rng.normal(0.5 + skill / 2, 0.2), 0.1, 1))}
                )  # fmt: skip
    (folder / 'predictions.segm.json').write_text(json.dumps(results))
    boxes = [{k: v for k, v in r.items() if k != 'segmentation'} for r in results]
    (folder / 'predictions.bbox.json').write_text(json.dumps(boxes))
    write_record(folder, record)


def write_suite(
    work_dir, task, protocol, ann_file, image_dir, skills, seeds=(0, 1, 2),
    classes=None,
):  # fmt: skip
    """Write a suite: checkpoint name → skill in [0, 1]."""
    for name, skill in skills.items():
        sha = '' if name == 'random' else (name[0].encode().hex() * 40)[:64]
        for seed in seeds:
            rng = np.random.default_rng([seed, *name.encode()])
            ap = 0.45 * skill + rng.normal(0, 0.006)
            record = Record(
                task, protocol, name, Identity('c0ffee' * 10 + 'c0de', sha, seed),
                {'coco/bbox_mAP': ap, 'coco/segm_mAP': 0.9 * ap}, COLUMNS,
                {'python': '3.11.7', 'torch': '2.14.1', 'mmdet': '3.5.1'},
                'CPU, 2 cores', 74.0, {'unit': 'epoch', 'total': 16, 'batch_size': 4},
                {'matched': 62} if sha else {'checkpoint': 'random'},
                finished='2025-01-01T00:00:00+00:00',
            )  # fmt: skip
            folder = f'{name}-{sha[:8]}' if sha else name
            write_job(
                work_dir / task / folder / f'seed{seed}', record, ann_file, image_dir,
                skill, rng, classes,
            )  # fmt: skip


def write_pretraining(folder: Path, seed: int = 0) -> Path:
    """Write the log of a pretraining run."""
    run = folder / '20250101_000000' / 'vis_data'
    run.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    with (run / 'scalars.json').open('w') as stream:
        for step in range(10, 900, 10):
            fall = np.exp(-step / 200) + rng.normal(0, 0.01)
            line = {
                'lr': 0.01, 'iter': step, 'epoch': 1 + step // 30, 'loss': 0.6 + fall,
                'loss_centroid': 0.5 + fall, 'loss_singular_value': 0.1 * fall,
                'loss_brownian': rng.normal(0, 0.005), 'uniformity': -3 + fall,
                'effective_rank': 100 - 60 * fall + 10 * seed,
                'largest_singular_value_share': 0.03 + 0.1 * fall,
                'alignment': 0.4 * fall + 0.2, 'embedding_std': 0.088 - 0.02 * fall,
            }  # fmt: skip
            print(json.dumps(line), file=stream)
    return folder
