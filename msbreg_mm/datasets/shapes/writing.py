"""Write scenes in COCO and Pascal VOC layout."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as rle

from msbreg_mm.datasets.shapes.outlines import CLASSES
from msbreg_mm.datasets.shapes.scene import Scene
from msbreg_mm.utils.errors import OutputError

JPEG_QUALITY = 92
LAYOUT = (
    'JPEGImages',
    'Annotations',
    'ImageSets/Main',
    'ImageSets/Segmentation',
    'SegmentationObject',
    'SegmentationClass',
    'annotations',
    'unlabelled',
)


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write a BGR picture, uint8, shape (H, W, 3).

    Raises:
        OutputError: If it cannot be written.
    """
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise OutputError(f'cannot write {path}: is the disk full or the folder gone?')


def coco_objects(scene: Scene) -> list[dict[str, Any]]:
    """Return COCO annotations without ids: exact RLE masks and their tight boxes."""
    objects = []
    for mask, label in zip(scene.masks, scene.labels, strict=True):
        code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
        objects.append(
            {
                'category_id': int(label) + 1,
                'bbox': [float(value) for value in rle.toBbox(code)],
                'area': int(rle.area(code)),
                'iscrowd': 0,
                'segmentation': {
                    'size': [int(side) for side in code['size']],
                    'counts': code['counts'].decode('ascii'),
                },
            }
        )
    return objects


def write_coco(path: Path, pictures: list[dict[str, Any]], first_id: int) -> int:
    """Write one split's instance JSON.

    Args:
        path: File to write.
        pictures: Each with ``image`` (COCO image record) and ``objects``.
        first_id: Id of the first annotation.

    Returns:
        The next free annotation id, so that ids are unique over splits.
    """
    annotations = [
        {'image_id': picture['image']['id'], **record}
        for picture in pictures
        for record in picture['objects']
    ]
    for number, annotation in enumerate(annotations, start=first_id):
        annotation['id'] = number
    categories = [
        {'id': number, 'name': name, 'supercategory': 'shape'}
        for number, name in enumerate(CLASSES, start=1)
    ]
    content = {
        'info': {'description': 'generated shapes over photographs (msbreg_mm)'},
        'licenses': [],
        'images': [picture['image'] for picture in pictures],
        'categories': categories,
        'annotations': annotations,
    }
    path.write_text(json.dumps(content) + '\n')
    return first_id + len(annotations)


def write_voc(
    root: Path, stem: str, scene: Scene, objects: list[dict[str, Any]]
) -> None:
    """Write a picture's XML and its two index images.

    Boxes follow VOC's convention (1-based, both ends inclusive). The index images
    have no void border: every pixel is exact.

    Args:
        root: Folder of the data set.
        stem: Name of the picture without suffix.
        scene: The picture.
        objects: Its COCO annotations, see :func:`coco_objects`.
    """
    size = len(scene.image)
    top = ElementTree.Element('annotation')
    _add(top, folder='shapes', filename=f'{stem}.jpg')
    _add(ElementTree.SubElement(top, 'size'), width=size, height=size, depth=3)
    _add(top, segmented=1)
    instances = np.zeros((size, size), np.uint8)
    classes = np.zeros((size, size), np.uint8)
    for index, record in enumerate(objects):
        instances[scene.masks[index]] = index + 1
        classes[scene.masks[index]] = record['category_id']
        item = ElementTree.SubElement(top, 'object')
        _add(
            item,
            name=CLASSES[record['category_id'] - 1],
            pose='Unspecified',
            truncated=int(scene.occluded[index]),
            difficult=0,
        )
        x, y, width, height = (int(value) for value in record['bbox'])
        box = ElementTree.SubElement(item, 'bndbox')
        _add(box, xmin=x + 1, ymin=y + 1, xmax=x + width, ymax=y + height)
    ElementTree.indent(top)
    ElementTree.ElementTree(top).write(root / 'Annotations' / f'{stem}.xml')
    _write_indices(root / 'SegmentationObject' / f'{stem}.png', instances)
    _write_indices(root / 'SegmentationClass' / f'{stem}.png', classes)


def _add(element: ElementTree.Element, **children: str | int) -> None:
    for name, value in children.items():
        ElementTree.SubElement(element, name).text = str(value)


def _write_indices(path: Path, indices: np.ndarray) -> None:
    image = Image.fromarray(indices)
    image.putpalette(voc_palette())
    image.save(path)


def voc_palette() -> list[int]:
    """Return VOC's colours of the indices 0 to 255, flat (768 values)."""
    colours = []
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colours += channels
    return colours
