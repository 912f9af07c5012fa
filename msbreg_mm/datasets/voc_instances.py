"""Turn VOC's ``SegmentationObject`` and ``Annotations`` into COCO instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pycocotools import mask as rle
from rich.progress import track

from msbreg_mm.datasets.voc import (
    VOC_CLASSES,
    VOCAnnotation,
    find_voc_image,
    read_voc_annotation,
    read_voc_classes,
    read_voc_list,
)
from msbreg_mm.datasets.writing import write_json
from msbreg_mm.utils.errors import DataError, MissingInputError, OptionError

VOID = 255
"""Index of VOC's border between objects: it belongs to none."""


@dataclass(frozen=True)
class VOCInstancesSummary:
    """Counts of a conversion.

    Args:
        output: The JSON file.
        num_images: Images in it.
        num_instances: Objects in it.
        num_without_pixels: Objects of the XML that no pixel belongs to; left out.
    """

    output: Path
    num_images: int
    num_instances: int
    num_without_pixels: int


def voc_instances(
    root: str | Path,
    split: str,
    output: str | Path,
    *,
    classes: Sequence[str] | None = None,
    boxes: Literal['xml', 'mask'] = 'xml',
    progress: bool = True,
) -> VOCInstancesSummary:
    """Write the instance masks of a VOC split as a COCO annotation file.

    VOC2012's conventions: pixel value k of ``SegmentationObject`` is the k-th object
    of the XML, 0 is background, 255 the void border (given to no object); boxes are
    1-based with both ends inclusive. Objects marked difficult get ``iscrowd`` 1, which
    COCO's evaluation and mmdet's training ignore like VOC does. Masks become exact
    compressed RLE, ``file_name`` is relative to ``JPEGImages``.

    Args:
        root: Folder with ``Annotations``, ``JPEGImages``, ``SegmentationObject`` and
            ``ImageSets/Segmentation`` (else ``ImageSets/Main``).
        split: Name of the list, such as ``train``.
        output: JSON file to write.
        classes: Names in the order of the category ids, from 1. Defaults to the lines
            of ``classes.txt`` in ``root``, else to VOC's 20 classes.
        boxes: ``'xml'`` keeps the annotated boxes, ``'mask'`` takes the tight box of
            each mask (smaller where a void border surrounds it).
        progress: Whether to show a progress bar.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If the list, an XML file, an image or a mask is missing.
        OptionError: If a class is unknown, sizes differ, an index has no object, or
            a mask lies outside its box (objects in another order).
    """
    root = Path(root)
    if boxes not in ('xml', 'mask'):
        raise OptionError(f"boxes must be 'xml' or 'mask', got {boxes!r}")
    names = tuple(classes or read_voc_classes(root) or VOC_CLASSES)
    images: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    num_objects = 0
    stems = read_voc_list(_list_file(root, split))
    for stem in track(stems, f'instances: {split}', disable=not progress):
        annotation, indices, image = _read(root, stem)
        images.append({'id': len(images) + 1, **image})
        num_objects += len(annotation.objects)
        for record in _instances(stem, annotation, indices, names, boxes):
            ids = {'id': len(instances) + 1, 'image_id': len(images)}
            instances.append({**ids, **record})
    content = {
        'info': {'description': f'instances of VOC split {split}'},
        'licenses': [],
        'images': images,
        'annotations': instances,
        'categories': [
            {'id': number, 'name': name, 'supercategory': 'none'}
            for number, name in enumerate(names, start=1)
        ],
    }
    write_json(Path(output), content)
    return VOCInstancesSummary(
        output=Path(output),
        num_images=len(images),
        num_instances=len(instances),
        num_without_pixels=num_objects - len(instances),
    )


def _list_file(root: Path, split: str) -> Path:
    folders = [root / 'ImageSets' / kind for kind in ('Segmentation', 'Main')]
    folder = folders[0] if folders[0].is_dir() else folders[1]
    return folder / f'{split}.txt'


def _read(root: Path, stem: str) -> tuple[VOCAnnotation, np.ndarray, dict[str, Any]]:
    """Read one image's annotation, index image and COCO image record without id."""
    annotation = read_voc_annotation(root / 'Annotations' / f'{stem}.xml')
    path = root / 'SegmentationObject' / f'{stem}.png'
    if not path.is_file():
        raise MissingInputError(
            f'no instance mask {path}; the list must name only images with masks'
        )
    with Image.open(path) as opened:
        if opened.mode not in ('P', 'L'):
            raise DataError(
                f'{path} must hold one 8-bit index per pixel (PNG mode P or L), got '
                f'mode {opened.mode}'
            )
        indices = np.array(opened)
    height, width = indices.shape
    if (width, height) != (annotation.width, annotation.height):
        raise DataError(
            f'{path} is {width} x {height}, its XML says '
            f'{annotation.width} x {annotation.height}'
        )
    top = int(indices[indices != VOID].max(initial=0))
    if top > len(annotation.objects):
        raise DataError(
            f'{path} has the index {top}, but its XML has only '
            f'{len(annotation.objects)} objects'
        )
    picture = find_voc_image(root, stem)
    if picture is None:
        raise MissingInputError(f'no image of {stem} in {root / "JPEGImages"}')
    record = {'file_name': picture.name, 'width': width, 'height': height}
    return annotation, indices, record


def _instances(
    stem: str,
    annotation: VOCAnnotation,
    indices: np.ndarray,
    names: tuple[str, ...],
    boxes: Literal['xml', 'mask'],
) -> Iterator[dict[str, Any]]:
    """Yield the COCO annotations, without ids, of the objects that have pixels."""
    for position, item in enumerate(annotation.objects, start=1):
        if item.name not in names:
            raise DataError(
                f'{stem}.xml has the class {item.name!r}, which is not among '
                f'{", ".join(names)}; give classes (--classes) or a classes.txt'
            )
        mask = indices == position
        if not mask.any():
            continue
        code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
        mask_box = [float(value) for value in rle.toBbox(code)]
        if not _overlap(mask_box, item.xywh):
            raise DataError(
                f'{stem}: the pixels {position} of SegmentationObject lie outside the '
                f'box of object {position} ({item.name}) of the XML; both must '
                'list the objects in the same order'
            )
        yield {
            'category_id': names.index(item.name) + 1,
            'bbox': item.xywh if boxes == 'xml' else mask_box,
            'area': int(rle.area(code)),
            'iscrowd': int(item.difficult),
            'segmentation': {
                'size': [int(side) for side in code['size']],
                'counts': code['counts'].decode('ascii'),
            },
        }


def _overlap(first: list[float], second: list[float]) -> bool:
    return all(
        min(first[axis] + first[axis + 2], second[axis] + second[axis + 2])
        > max(first[axis], second[axis])
        for axis in (0, 1)
    )
