"""Ask mmdet's XMLDataset what it makes of a VOC list and its annotations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
from mmdet.datasets import XMLDataset

from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.transforms.reading import CorruptImageError, check_file

_SIZES = {'min_size': 32}
"""What the VOC configs of mmdet, and so of this project, filter images by."""


@dataclass
class VOCReading:
    """What the reader makes of one list.

    Args:
        images: (width, height) of each image by path, as the XML says.
        objects: Number of objects in the XML of each image, by path.
        names: Class of each object that is kept.
    """

    images: dict[str, tuple[int, int]] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def read_voc(
    note: Callable[[str], None],
    result: CheckResult,
    root: Path,
    listing: Path,
    classes: Sequence[str] | None,
    known: set[str],
) -> tuple[CheckResult, VOCReading]:
    """Read a list as mmdet does and collect what it cannot use.

    Args:
        note: Is told which file is looked at.
        result: Takes the findings.
        root: Folder with ``Annotations`` and ``JPEGImages``.
        listing: List of image names.
        classes: Names that count; ``None`` takes all.
        known: Images whose faults other lists have reported.
    """
    cv2.setNumThreads(0)  # a pool that another process made would hang here
    data = _Reader(
        note,
        result,
        known,
        classes is None,
        ann_file=str(listing),
        data_prefix={'sub_data_root': str(root)},
        metainfo={'classes': list(classes or ())},
        test_mode=True,
        serialize_data=False,
        pipeline=[],
    )
    return data.result, data.reading


class _Reader(XMLDataset):
    """Reads one object at a time, so that each fault has a name."""

    def __init__(
        self,
        note: Callable[[str], None],
        result: CheckResult,
        known: set[str],
        any_class: bool,
        **kwargs: Any,
    ) -> None:
        self.note = note
        self.result = result
        self.known = known
        self.any_class = any_class
        self.where = Path(kwargs['ann_file']).name
        self.reading = VOCReading()
        self.now = ''
        super().__init__(**kwargs)

    def _add(self, kind: str, text: str) -> None:
        if self.now not in self.known:
            self.result.add(kind, self.where, text)

    def parse_data_info(self, img_info: dict) -> dict:
        self.now = img_info['img_id']
        path = Path(img_info['xml_path'])
        image = Path(self.sub_data_root, img_info['file_name'])
        self.note(str(path))
        try:
            top = ElementTree.parse(path).getroot()
            if top.find('size') is None:  # the reader opens the image for it
                check_file(str(image))
            info = super().parse_data_info(img_info)
        except FileNotFoundError as error:
            if isinstance(error, CorruptImageError):
                self._add('missing-image', str(image))
            else:
                hint = '' if self.now == self.now.strip() else _BLANKS
                self._add('missing-annotation', f'{path}{hint}')
            return {}
        except ElementTree.ParseError as error:
            self._add('unreadable-annotation', f'{path} is no readable XML: {error}')
            return {}
        except Exception as error:  # whatever the reader's code stumbles over
            text = f'{path}: {type(error).__name__}: {error}'
            self._add('unreadable-annotation', text)
            return {}
        self._image(top, info, path)
        return info

    def _image(self, top: ElementTree.Element, info: dict, path: Path) -> None:
        name = (top.findtext('filename') or '').strip()
        if name and Path(name).stem != self.now:
            self._add('file-name-mismatch', f'{path.name} names {name}')
        if not info['instances']:
            self._add('no-annotations', self.now)
        self.reading.images[info['img_path']] = (info['width'], info['height'])
        self.reading.objects[info['img_path']] = len(top.findall('object'))

    def _parse_instance_info(
        self, raw_ann_info: Any, minus_one: bool = True
    ) -> list[dict]:
        found = []
        size = raw_ann_info.find('size')
        shape = tuple(
            int(size.find(side).text) if size is not None else None
            for side in ('width', 'height')
        )
        for position, item in enumerate(raw_ann_info.findall('object'), start=1):
            label = f'{self.now}.xml object {position}'
            one = ElementTree.Element('annotation')
            one.append(item)
            try:
                name = item.find('name').text
                if self.any_class and name and name not in self.cat2label:
                    self.cat2label[name] = len(self.cat2label)
                    self._metainfo['classes'].append(name)
                kept = super()._parse_instance_info(one, minus_one)
            except Exception as error:
                text = f'{label}: {type(error).__name__}: {error} (mmdet reads '
                text += ElementTree.tostring(item, 'unicode')[:200] + ')'
                self._add('malformed-record', text)
                continue
            if not kept:
                text = f'{label}: {name!r} is not in classes.txt'
                self._add('unknown-category', text)
                continue
            found += kept
            self.reading.names.append(name)
            self._box(f'{label} ({name})', kept[0]['bbox'], shape)
        return found

    def _box(self, label: str, box: list[int], shape: tuple) -> None:
        left, top, right, bottom = box
        text = f'{label}: {" ".join(str(value + 1) for value in box)}'
        if right <= left or bottom <= top:
            self._add('zero-area-box', text)
            return
        if None in shape or min(shape) <= 0:
            return
        width, height = shape
        text_in = f'{text} in {width} x {height}'
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            self._add('box-outside', text_in)
        elif min(left, top) < -1 or right >= width or bottom >= height:
            self._add('box-beyond', text_in)
        elif min(left, top) < 0:
            self._add('zero-based-box', text)


_BLANKS = ' (the list has blanks around the name, which mmdet keeps)'


def left_out(listed: tuple[int, int], actual: tuple[int, int]) -> bool:
    """Whether mmdet's VOC configs leave an image out for its listed size alone."""
    return min(listed) < _SIZES['min_size'] <= min(actual)
