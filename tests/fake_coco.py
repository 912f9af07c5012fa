"""A COCO data set of a few small images, changed before it is written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def coco_content(split: str, num_images: int = 4, size: int = 64) -> dict:
    """Two objects of two classes in each image."""
    content = {
        'images': [],
        'annotations': [],
        'categories': [{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}],
    }
    for image in range(1, num_images + 1):
        name = f'{split}{image}.png'
        record = {'id': image, 'file_name': name, 'width': size, 'height': size}
        content['images'].append(record)
        for label in (1, 2):
            x, y, w, h = 5 + 20 * (label - 1), 8 + image, 18, 20
            content['annotations'].append(
                {
                    'id': len(content['annotations']) + 1,
                    'image_id': image,
                    'category_id': label,
                    'bbox': [x, y, w, h],
                    'area': w * h,
                    'iscrowd': 0,
                    'segmentation': [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    return content


def write_coco(
    root: Path, edit: Callable[[dict, str], None] | None = None, num_images: int = 4
) -> Path:
    """Write ``annotations/{train,val}.json`` and ``JPEGImages``; returns the root."""
    (root / 'JPEGImages').mkdir(parents=True)
    (root / 'annotations').mkdir()
    for split in ('train', 'val'):
        content = coco_content(split, num_images)
        generator = np.random.default_rng(len(split))
        for record in content['images']:
            pixels = generator.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / 'JPEGImages' / record['file_name'])
        if edit is not None:
            edit(content, split)
        path = root / 'annotations' / f'{split}.json'
        path.write_text(json.dumps(content))
    return root
