"""Read the Pascal VOC layout: image lists, XML annotations, images."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from msbreg_mm.utils.errors import DataError, MissingInputError

VOC_CLASSES = (
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)
"""The 20 classes of VOC2007 to VOC2012, in their usual (alphabetical) order."""


@dataclass(frozen=True)
class VOCObject:
    """One object of an annotation.

    Args:
        name: Class name.
        box: ``(xmin, ymin, xmax, ymax)`` as written: 1-based, both ends inclusive.
        difficult: Whether VOC's evaluation ignores the object.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool

    @property
    def xywh(self) -> list[float]:
        """COCO box: 0-based corner and size, where one pixel has the size 1."""
        xmin, ymin, xmax, ymax = self.box
        return [xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1]


@dataclass(frozen=True)
class VOCAnnotation:
    """One XML file: the image's name and size, and its objects in file order."""

    filename: str
    width: int
    height: int
    objects: tuple[VOCObject, ...]


def read_voc_annotation(path: Path) -> VOCAnnotation:
    """Read one XML file.

    Raises:
        FileNotFoundError: If it is absent.
        DataError: If it is no XML, or an element is missing or no number; the
            message names the file and the element.
    """
    try:
        top = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f'{path} is no readable XML: {error}') from error
    return VOCAnnotation(
        filename=(top.findtext('filename') or '').strip(),
        width=int(_number(top, 'size/width', path)),
        height=int(_number(top, 'size/height', path)),
        objects=tuple(_object(item, path) for item in top.findall('object')),
    )


def _object(item: ElementTree.Element, path: Path) -> VOCObject:
    name = (item.findtext('name') or '').strip()
    if not name:
        raise DataError(f'{path}: an <object> has no <name>')
    xmin, ymin, xmax, ymax = (
        _number(item, f'bndbox/{side}', path)
        for side in ('xmin', 'ymin', 'xmax', 'ymax')
    )
    difficult = (item.findtext('difficult') or '0').strip() == '1'
    return VOCObject(name, (xmin, ymin, xmax, ymax), difficult)


def _number(element: ElementTree.Element, name: str, path: Path) -> float:
    text = element.findtext(name)
    try:
        return float(text or '')
    except ValueError:
        raise DataError(
            f'{path}: <{name}> in <{element.tag}> must be a number, got {text!r}'
        ) from None


def read_voc_list(path: Path) -> list[str]:
    """Return the image names of an ``ImageSets`` list, without blank lines.

    Raises:
        MissingInputError: If the list is absent; names those that are there.
    """
    if not path.is_file():
        there = sorted(other.stem for other in path.parent.glob('*.txt'))
        raise MissingInputError(
            f'no image list {path}; {path.parent} has {", ".join(there) or "none"}'
        )
    return [line.split()[0] for line in path.read_text().splitlines() if line.strip()]


def find_voc_image(root: Path, stem: str) -> Path | None:
    """Return the image of ``stem`` in ``JPEGImages``: ``.jpg``, else any suffix."""
    folder = root / 'JPEGImages'
    for suffix in ('.jpg', '.jpeg', '.JPG', '.JPEG', '.png', '.bmp'):
        path = folder / f'{stem}{suffix}'
        if path.is_file():
            return path
    return None


def read_voc_classes(root: Path) -> tuple[str, ...] | None:
    """Return the lines of ``classes.txt``, or ``None`` where the set has none."""
    path = root / 'classes.txt'
    if not path.is_file():
        return None
    lines = (line.strip() for line in path.read_text().splitlines())
    return tuple(line for line in lines if line)
