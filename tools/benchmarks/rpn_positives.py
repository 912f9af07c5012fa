"""Count the anchors that an RPN's rule of matching gives to each object.

No network runs: the anchors of a config's RPN are matched with the objects of a COCO
file at one image size, once by mmdet's rule (an object's best anchor counts from an IoU
of 0.3) and once by detectron2's (at any IoU).
"""

import argparse
import json

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from msbreg_mm.utils.upstream import import_quietly

import_quietly('mmdet.models')

from mmdet.registry import TASK_UTILS  # noqa: E402

RULES = {'mmdet, from IoU 0.3': 0.3, 'detectron2, any IoU': 1e-6}


def count(cfg: Config, truth: dict, short_side: int, least: float) -> np.ndarray:
    """Match all objects; returns side in pixels and anchors of each (N, 2)."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        anchors = TASK_UTILS.build(cfg.model.rpn_head.anchor_generator)
        rule = dict(cfg.model.train_cfg.rpn.assigner, min_pos_iou=least)
        assigner = TASK_UTILS.build(rule)
    objects: dict[int, list] = {image['id']: [] for image in truth['images']}
    for item in truth['annotations']:
        if not item.get('iscrowd') and min(item['bbox'][2:]) >= 1:
            objects[item['image_id']].append(item['bbox'])
    rows = []
    for image in truth['images']:
        if not objects[image['id']]:
            continue
        width, height = image['width'], image['height']
        scale = min(short_side / min(width, height), 1333 / max(width, height))
        boxes = torch.tensor(objects[image['id']], dtype=torch.float32) * scale
        sides = boxes[:, 2:].prod(dim=1).sqrt()
        boxes[:, 2:] += boxes[:, :2]
        # padded to a multiple of 32, as the detector's preprocessor does
        padded = [-(-int(side * scale) // 32) * 32 for side in (height, width)]
        sizes = [
            (-(-padded[0] // stride[1]), -(-padded[1] // stride[0]))
            for stride in anchors.strides
        ]
        priors = torch.cat(anchors.grid_priors(sizes, device='cpu'))
        labels = torch.zeros(len(boxes), dtype=torch.long)
        found = assigner.assign(
            InstanceData(priors=priors), InstanceData(bboxes=boxes, labels=labels)
        ).gt_inds
        anchors_of = torch.bincount(found[found > 0] - 1, minlength=len(boxes))
        rows.append(torch.stack([sides, anchors_of.float()], dim=1))
    return torch.cat(rows).numpy()


def main() -> None:
    """Print one row for each size and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='detection config with an RPN')
    parser.add_argument('ann_file', help='COCO annotations')
    parser.add_argument('--short-side', type=int, nargs='+', default=[800])
    args = parser.parse_args()
    cfg = Config.fromfile(args.config, import_custom_modules=False)
    with open(args.ann_file, encoding='utf-8') as file:
        truth = json.load(file)
    print('| short side | median side | rule | objects | without | anchors each |')
    print('| ---: | ---: | --- | ---: | ---: | ---: |')
    for short_side in args.short_side:
        for name, least in RULES.items():
            rows = count(cfg, truth, short_side, least)
            print(
                f'| {short_side} | {np.median(rows[:, 0]):.0f} | {name} | {len(rows)} '
                f'| {(rows[:, 1] == 0).sum()} | {rows[:, 1].mean():.2f} |'
            )


if __name__ == '__main__':
    main()
