"""Tiny data sets in the layouts of docs/data.md, for tests that train on them."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from msbreg_mm.datasets.voc import VOC_CLASSES

SIZE = (96, 72)  # width, height
BOXES = (
    (8, 10, 56, 54),
    (50, 24, 92, 66),
)  # two objects per image, 0-based, x1 y1 x2 y2


def write_image(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> None:
    """Noise with one bright and one dark rectangle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(60, 196, (*size[::-1], 3), np.uint8)
    for value, (x1, y1, x2, y2) in zip((250, 5), BOXES, strict=True):
        pixels[y1:y2, x1:x2] = value
    Image.fromarray(pixels).save(path)


def write_npz(path: Path, images: int = 8, classes: int = 2) -> None:
    """Encoded noise in one file, as the cifar10_24k pack has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng, encoded = np.random.default_rng(0), []
    for _ in range(images):
        stream = io.BytesIO()
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(stream, 'JPEG')
        encoded.append(np.frombuffer(stream.getvalue(), np.uint8))
    np.savez(
        path,
        jpeg=np.concatenate(encoded),
        offset=np.cumsum([0, *map(len, encoded)]),
        label=np.arange(images) % classes,
    )


def write_coco(
    root: Path,
    ann_file: str,
    img_dir: str,
    classes: Sequence[str],
    num_images: int = 4,
) -> Path:
    """COCO's layout: ``root/ann_file`` (JSON) and ``root/img_dir/*.jpg``."""
    images, annotations = [], []
    width, height = SIZE
    for index in range(num_images):
        name = f'{index:06}.jpg'
        write_image(root / img_dir / name, seed=index)
        images.append(dict(id=index, file_name=name, width=width, height=height))
        for x1, y1, x2, y2 in BOXES:
            number = len(annotations)
            record = dict(
                id=number + 1,
                image_id=index,
                category_id=number % len(classes) + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=0,
                segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
            )
            annotations.append(record)
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, start=1)]
    path = root / ann_file
    path.parent.mkdir(parents=True, exist_ok=True)
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))
    return path


def write_voc(
    root: Path,
    splits: Mapping[str, int],
    classes: Sequence[str] = VOC_CLASSES,
) -> Path:
    """VOC's layout with boxes, instance and semantic masks; ``splits`` name: images.

    Masks have VOC's void border (255) between the two objects. Each split has its
    own images; its list is in ``ImageSets/Main`` and ``ImageSets/Segmentation``.
    """
    number = 0
    for split, num_images in splits.items():
        stems = []
        for _ in range(num_images):
            stems.append(f'{number:06}')
            labels = [(2 * number + k) % len(classes) for k in range(len(BOXES))]
            write_image(root / 'JPEGImages' / f'{stems[-1]}.jpg', seed=number)
            _write_voc_xml(root, stems[-1], [classes[label] for label in labels])
            _write_voc_masks(root, stems[-1], labels)
            number += 1
        for kind in ('Main', 'Segmentation'):
            path = root / 'ImageSets' / kind / f'{split}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('\n'.join(stems) + '\n')
    return root


def _write_voc_xml(root: Path, stem: str, names: Sequence[str]) -> None:
    top = ElementTree.Element('annotation')
    ElementTree.SubElement(top, 'filename').text = f'{stem}.jpg'
    size = ElementTree.SubElement(top, 'size')
    for tag, value in zip(('width', 'height', 'depth'), (*SIZE, 3), strict=True):
        ElementTree.SubElement(size, tag).text = str(value)
    for name, (x1, y1, x2, y2) in zip(names, BOXES, strict=True):
        item = ElementTree.SubElement(top, 'object')
        ElementTree.SubElement(item, 'name').text = name
        ElementTree.SubElement(item, 'difficult').text = '0'
        box = ElementTree.SubElement(item, 'bndbox')
        # 1-based, both ends inclusive
        for tag, value in dict(xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2).items():
            ElementTree.SubElement(box, tag).text = str(value)
    path = root / 'Annotations' / f'{stem}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(top).write(path)


def _write_voc_masks(root: Path, stem: str, labels: Sequence[int]) -> None:
    """The palette PNGs: k-th object, and class id + 1."""
    for kind, values in (
        ('SegmentationObject', range(1, len(labels) + 1)),
        ('SegmentationClass', [label + 1 for label in labels]),
    ):
        mask = np.zeros(SIZE[::-1], np.uint8)
        for value, (x1, y1, x2, y2) in zip(values, BOXES, strict=True):
            mask[y1:y2, x1:x2] = 255
            mask[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] = value
        image = Image.fromarray(mask, mode='P')
        image.putpalette([index for index in range(256) for _ in range(3)])
        path = root / kind / f'{stem}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
