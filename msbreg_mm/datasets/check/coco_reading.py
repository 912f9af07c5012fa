"""Ask mmdet's CocoDataset what it makes of an annotation file."""

import contextlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.datasets.transforms import LoadAnnotations

from msbreg_mm.datasets.check.masks import drawable, pixels, unsafe
from msbreg_mm.datasets.check.result import CheckResult

_LISTS = ('images', 'annotations', 'categories')
BOX_TOLERANCE = 1.0
"""Pixels by which a box may leave its image without being mentioned: rounding."""

Add = Callable[[str, str], None]


@dataclass
class CocoReading:
    """What the reader makes of one file.

    Args:
        result: Findings.
        names: Class names by label, in the order of the reader's labels.
        ids: Category ids by label.
        infos: What the reader gives for each image, with the annotations
            (``raw``) of its instances.
        content: The file.
    """

    result: CheckResult
    names: list[str] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)
    content: dict[str, list] = field(default_factory=dict)

    @property
    def has_masks(self) -> bool:
        """Whether any instance has a mask."""
        return any('mask' in item for info in self.infos for item in info['instances'])


def read_coco(
    note: Callable[[str], None],
    result: CheckResult,
    path: Path,
    folder: str = '',
    thorough: bool = True,
    masks: bool = True,
) -> CocoReading:
    """Read a file as mmdet does and collect what it cannot use.

    Args:
        note: Is told which annotation is looked at.
        result: Takes the findings.
        path: Annotation file.
        folder: Folder of the images.
        thorough: Whether to count the pixels of every mask.
        masks: Whether masks are read.
    """

    def add(kind: str, text: str) -> None:
        result.add(kind, path.name, text)

    reading = CocoReading(result)
    try:
        with open(path) as file:  # in the locale's encoding, as pycocotools
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        add('unreadable-annotation', str(error))
        return reading
    lists = content if isinstance(content, dict) else {}
    if missing := [key for key in _LISTS if not isinstance(lists.get(key), list)]:
        add('unreadable-annotation', f'no list {", ".join(missing)}')
        return reading
    reading.content = {key: _usable(key, content[key], add) for key in _LISTS}
    api = _index(reading.content)
    _ids(reading.content, api, add)
    reading.ids = api.get_cat_ids(cat_names=_names(reading.content))
    by_id = {item['id']: item['name'] for item in reading.content['categories']}
    reading.names = [by_id[number] for number in reading.ids]
    _Reader.api, _Reader.add, _Reader.note = api, staticmethod(add), staticmethod(note)
    data = _Reader(
        ann_file=str(path),
        data_prefix={'img': folder},
        metainfo={'classes': _names(reading.content)},
        test_mode=True,
        serialize_data=False,
        pipeline=[],
    )
    reading.infos = [info for info in data.data_list if 'raw' in info]
    objects = [item for info in reading.infos for item in info['instances']]
    if objects and all(item['ignore_flag'] for item in objects):
        add('crowds-only', f'all {len(objects)} objects have iscrowd: 1')
    if masks:
        _masks(note, reading, add, thorough)
    else:
        for info in reading.infos:
            for item in info['instances']:
                item.pop('mask', None)
    return reading


class _Reader(CocoDataset):
    """Reads one annotation at a time, so that each fault has a name."""

    api: COCO
    add: Add
    note: Callable[[str], None]
    ANN_ID_UNIQUE = False  # reported by id
    COCOAPI = staticmethod(lambda path: _Reader.api)

    def parse_data_info(self, raw_data_info: dict) -> dict:
        image, found = raw_data_info['raw_img_info'], raw_data_info['raw_ann_info']
        read = super().parse_data_info
        try:
            info = read({'raw_img_info': image, 'raw_ann_info': []})
        except Exception as error:  # whatever the reader's code stumbles over
            text = f'image {str(image)[:80]}: {_describe(error)}'
            self.add('malformed-record', text)
            return {}
        info['raw'] = []
        for record in found:
            label = f'annotation {record["id"]} in {image["file_name"]}'
            self.note(label)
            try:
                one = read({'raw_img_info': image, 'raw_ann_info': [record]})
            except Exception as error:
                text = f'{label}: {_describe(error)} (mmdet reads {str(record)[:80]})'
                self.add('malformed-record', text)
                continue
            if one['instances']:
                info['instances'] += one['instances']
                info['raw'].append(record)
                _kept(label, record['bbox'], image, self.add)
            else:
                self.add(*_dropped(label, record, image, self.cat_ids))
        if not info['instances']:
            self.add('no-annotations', str(image['file_name']))
        return info


def _describe(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f'no {error.args[0]}'
    return f'{type(error).__name__}: {error}'


def _dropped(
    label: str, record: dict, image: dict, known: list[Any]
) -> tuple[str, str]:
    """Say why the reader leaves an annotation out: (kind, text)."""
    box = record['bbox']
    if record.get('ignore', False):
        return 'ignored-annotation', label
    if record['category_id'] not in known:
        return 'unknown-category', f'{label}: category id {record["category_id"]}'
    if not all(math.isfinite(value) for value in box):
        return 'malformed-record', f'{label}: bbox must be 4 finite numbers, got {box}'
    if box[2] <= 0 or box[3] <= 0:
        return 'zero-area-box', f'{label}: {box}'
    size = f'{image["width"]} x {image["height"]}'
    left, top = min(box[0] + box[2], image['width']), max(box[0], 0)
    lower, upper = min(box[1] + box[3], image['height']), max(box[1], 0)
    if left <= top or lower <= upper:
        return 'box-outside', f'{label}: {box} in {size}'
    return 'dropped-annotation', f'{label}: {box}, area {record.get("area")}'


def _kept(label: str, box: list, image: dict, add: Add) -> None:
    if not all(math.isfinite(value) for value in box):
        add('malformed-record', f'{label}: bbox must be 4 finite numbers, got {box}')
        return
    x, y, width, height = box
    beyond = max(-x, -y, x + width - image['width'], y + height - image['height'])
    if beyond > BOX_TOLERANCE:
        size = f'{image["width"]} x {image["height"]}'
        add('box-beyond', f'{label}: {box} in {size}')


def _index(content: dict[str, list]) -> COCO:
    api = COCO()
    api.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        api.createIndex()
    api.img_ann_map, api.cat_img_map = api.imgToAnns, api.catToImgs
    return api


def _usable(key: str, records: list[Any], add: Add) -> list[dict]:
    """Leave out the records that pycocotools' index stumbles over, and say so."""
    empty: dict[str, list] = {name: [] for name in _LISTS}

    def fault(group: list[Any]) -> str:
        try:
            api = _index({**empty, key: group})
            if key == 'categories':
                api.get_cat_ids(cat_names=['-'])
        except Exception as error:
            return _describe(error)
        return ''

    if fault(records):
        kind = {'images': 'image', 'annotations': 'annotation'}.get(key, 'category')
        faults = [fault([record]) for record in records]
        for record, text in zip(records, faults, strict=True):
            if text:
                text = text if isinstance(record, dict) else 'no dictionary'
                add('malformed-record', f'{kind} {str(record)[:80]}: {text}')
        records = [
            record for record, text in zip(records, faults, strict=True) if not text
        ]
    return records


def _names(content: dict[str, list]) -> tuple[str, ...]:
    return tuple(record['name'] for record in content['categories'])


def _ids(content: dict[str, list], api: COCO, add: Add) -> None:
    """Find ids that hide other records, and annotations that nobody reads."""
    if not content['images']:
        add('no-images', 'the list of images is empty')
    if not content['categories']:
        add('unreadable-annotation', 'the list of categories is empty')
    for key, label in (('images', 'image'), ('annotations', 'annotation')):
        for number, count in Counter(item['id'] for item in content[key]).items():
            if count > 1:
                add(f'duplicate-{label}-id', f'{label} id {number} ({count} times)')
    for key in ('id', 'name'):
        counts = Counter(str(item[key]) for item in content['categories'])
        for value, count in counts.items():
            if count > 1:
                add('duplicate-category', f'{key} {value!r} ({count} times)')
    files = Counter(str(item.get('file_name')) for item in content['images'])
    for name, count in files.items():
        if count > 1:
            add('duplicate-file-name', f'{name} ({count} times)')
    for record in content['annotations']:
        if record['image_id'] not in api.imgs:
            text = f'annotation {record["id"]}: image id {record["image_id"]!r}'
            add('unknown-image', text)


def _masks(
    note: Callable[[str], None], reading: CocoReading, add: Add, thorough: bool
) -> None:
    """Have mmdet's LoadAnnotations take every mask."""
    if not reading.has_masks:
        return
    loader = LoadAnnotations(with_bbox=True, with_mask=True)
    for info in reading.infos:
        name = Path(info['img_path']).name
        for item, record in zip(info['instances'], info['raw'], strict=True):
            label = f'annotation {record["id"]} in {name}'
            note(label)
            if 'mask' not in item:
                add('missing-mask', f'{label}: {record.get("segmentation", "none")}')
                continue
            mask, height, width = item['mask'], info['height'], info['width']
            if text := unsafe(mask):
                add('malformed-mask', f'{label}: {text}')
                continue
            flag = item['ignore_flag']
            try:
                (read,) = loader._process_masks({'instances': [item]})
                dropped = not flag and item['ignore_flag']
                drawn = thorough and not dropped and drawable(height, width)
                area = pixels(read, int(height), int(width)) if drawn else 1
            except Exception as error:
                add('malformed-mask', f'{label}: {_describe(error)}')
                continue
            if dropped:
                text = 'a polygon needs at least 3 points, an RLE size and counts'
                add('ignored-mask', f'{label}: {text}; mmdet ignores the object')
            elif area == 0:
                add('empty-mask', f'{label}: no pixel')
