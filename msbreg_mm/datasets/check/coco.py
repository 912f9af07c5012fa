"""Check COCO annotation files and their images."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pycocotools import mask as rle

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult

BOX_TOLERANCE = 1.0
"""Pixels by which a box may leave its image: rounding, not a fault."""

_IMAGE_TYPES = {'id': int | str, 'file_name': str, 'width': int, 'height': int}
_ANNOTATION_TYPES = {'id': int, 'image_id': int | str, 'category_id': int, 'bbox': list}
_SPLIT_WORD = re.compile(r'(minival|trainval|train|val|test)(\d{4})?')


def find_coco_files(root: Path) -> list[Path]:
    """Return the instance JSON files in ``annotations*/`` of ``root``."""
    files = sorted(root.glob('annotations*/*.json'))
    instances = [path for path in files if path.name.startswith('instances_')]
    return instances or files


def check_coco(
    result: CheckResult,
    root: Path,
    files: Sequence[Path],
    image_folder: Path | None,
    decode: bool,
    progress: bool,
) -> None:
    """Check annotation files of one data set.

    Args:
        result: Takes the counts and findings.
        root: Folder of the data set.
        files: Annotation files; those whose names differ only in the split (``train``,
            ``val``, ...) must have equal categories.
        image_folder: Folder of the images; searched below ``root`` if ``None``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
    categories: dict[str, tuple[str, dict[int, str]]] = {}
    for path in files:
        where = path.name
        content = _load(result, where, path)
        if content is None:
            continue
        images = _images(result, where, content['images'])
        names = _categories(result, where, content['categories'])
        _annotations(result, where, content['annotations'], images, names)
        folder = image_folder or _find_images(root, path, images)
        _files(result, where, folder, images, decode, progress)
        result.splits[where] = {
            'images': len(content['images']),
            'objects': len(content['annotations']),
            'classes': len(names),
        }
        group = _SPLIT_WORD.sub('*', path.stem)
        first, expected = categories.setdefault(group, (where, names))
        for number in sorted(expected.keys() | names.keys()):
            mine, other = names.get(number), expected.get(number)
            if mine != other:
                text = f'id {number} is {mine!r}, in {first} {other!r}'
                result.add('category-mismatch', where, text)


def _load(result: CheckResult, where: str, path: Path) -> dict[str, list] | None:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        result.add('unreadable-annotation', where, str(error))
        return None
    keys = ('images', 'annotations', 'categories')
    missing = [
        key
        for key in keys
        if not isinstance(content, dict) or not isinstance(content.get(key), list)
    ]
    if missing:
        result.add('unreadable-annotation', where, f'no list {", ".join(missing)}')
        return None
    return content


def _images(
    result: CheckResult, where: str, records: list[Any]
) -> dict[int, dict[str, Any]]:
    """Return the well-formed image records by id."""
    images: dict[int, dict[str, Any]] = {}
    names: set[str] = set()
    for record in records:
        fault = _fault(record, _IMAGE_TYPES)
        if fault:
            result.add('malformed-record', where, f'image {str(record)[:80]}: {fault}')
            continue
        if record['id'] in images:
            result.add('duplicate-image-id', where, f'image id {record["id"]}')
        if record['file_name'] in names:
            result.add('duplicate-file-name', where, record['file_name'])
        names.add(record['file_name'])
        images[record['id']] = record
    if not records:
        result.add('no-images', where, 'the list of images is empty')
    return images


def _fault(record: Any, types: dict[str, Any]) -> str:
    """Name the first key that is absent or of another type; empty if none is."""
    if not isinstance(record, dict):
        return 'no dictionary'
    for key, expected in types.items():
        if record.get(key) is None:
            return f'no {key}'
        if not isinstance(record[key], expected):
            return f'{key} is {record[key]!r}'
    return ''


def _categories(result: CheckResult, where: str, records: list[Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    for record in records:
        fault = _fault(record, {'id': int, 'name': str})
        if fault:
            text = f'category {str(record)[:80]}: {fault}'
            result.add('malformed-record', where, text)
        else:
            names[record['id']] = record['name']
    return names


def _annotations(
    result: CheckResult,
    where: str,
    records: list[Any],
    images: dict[int, dict[str, Any]],
    names: dict[int, str],
) -> None:
    seen: set[int] = set()
    used: set[int] = set()
    for record in records:
        fault = _fault(record, _ANNOTATION_TYPES)
        if fault:
            text = f'annotation {str(record)[:80]}: {fault}'
            result.add('malformed-record', where, text)
            continue
        label = f'annotation {record["id"]}'
        if record['id'] in seen:
            result.add('duplicate-annotation-id', where, label)
        seen.add(record['id'])
        if record['category_id'] not in names:
            text = f'{label}: category id {record["category_id"]}'
            result.add('unknown-category', where, text)
        image = images.get(record['image_id'])
        if image is None:
            text = f'{label}: image id {record["image_id"]}'
            result.add('unknown-image', where, text)
            continue
        used.add(record['image_id'])
        label = f'{label} in {image["file_name"]}'
        _box(result, where, label, record['bbox'], image)
        if record.get('segmentation') is not None:
            _mask(result, where, label, record['segmentation'], image)
    for number, image in images.items():
        if number not in used:
            result.add('no-annotations', where, image['file_name'])


def _box(
    result: CheckResult, where: str, label: str, box: list, image: dict[str, Any]
) -> None:
    numbers = all(
        isinstance(value, int | float) and math.isfinite(value) for value in box
    )
    if not numbers or len(box) != 4:
        text = f'{label}: bbox must be 4 finite numbers, got {box}'
        result.add('malformed-record', where, text)
        return
    x, y, width, height = box
    if width <= 0 or height <= 0:
        result.add('zero-area-box', where, f'{label}: {box}')
    right, bottom = x + width - image['width'], y + height - image['height']
    if max(-x, -y, right, bottom) > BOX_TOLERANCE:
        size = f'{image["width"]} x {image["height"]}'
        result.add('box-outside', where, f'{label}: {box} in {size}')


def _mask(
    result: CheckResult, where: str, label: str, mask: Any, image: dict[str, Any]
) -> None:
    """Check a polygon list, an uncompressed or a compressed RLE."""
    height, width = image['height'], image['width']
    if isinstance(mask, dict) and mask.get('size') != [height, width]:
        text = f'{label}: RLE size {mask.get("size")}, image [{height}, {width}]'
        result.add('malformed-mask', where, text)
        return
    if mask == []:
        result.add('empty-mask', where, f'{label}: no polygon')
        return
    try:
        polygons = isinstance(mask, list)
        if polygons and any(len(ring) < 6 or len(ring) % 2 for ring in mask):
            raise ValueError('a polygon needs at least 3 points')
        packed = polygons or isinstance(mask['counts'], list)
        code = rle.frPyObjects(mask, height, width) if packed else mask
        area = float(rle.area(rle.merge(code) if polygons else code))
        counts = [] if polygons else mask['counts']
        wrong_sum = isinstance(counts, list) and sum(counts) != height * width
        if area > height * width or (not polygons and wrong_sum):
            raise ValueError(f'the runs do not fill {height} x {width} pixels')
    except Exception as error:  # pycocotools raises bare exceptions of many types
        result.add('malformed-mask', where, f'{label}: {error}')
        return
    if area == 0:
        result.add('empty-mask', where, f'{label}: no pixel')


def _find_images(root: Path, path: Path, images: dict[int, dict[str, Any]]) -> Path:
    """Return the folder that has the first of the images, else the likeliest."""
    split = path.stem.split('_')[-1]
    folders = [
        root / name
        for name in ('JPEGImages', 'images', split, f'images/{split}', 'data', '')
    ]
    for record in list(images.values())[:5]:
        for folder in folders:
            if (folder / record['file_name']).is_file():
                return folder
    return next((folder for folder in folders if folder.is_dir()), root)


def _files(
    result: CheckResult,
    where: str,
    folder: Path,
    images: dict[int, dict[str, Any]],
    decode: bool,
    progress: bool,
) -> None:
    records = {folder / record['file_name']: record for record in images.values()}
    sizes = read_sizes(result, where, list(records), decode, progress)
    for path, size in sizes.items():
        listed = (records[path]['width'], records[path]['height'])
        if size != listed:
            text = (
                f'{path.name}: {listed[0]} x {listed[1]} listed, '
                f'{size[0]} x {size[1]} in the file'
            )
            result.add('size-mismatch', where, text)
