"""Check the Pascal VOC layout, as mmdet's XMLDataset reads it."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import list_from_file
from PIL import Image

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.voc import read_voc_classes
from msbreg_mm.utils.child import ChildError, run_in_child
from msbreg_mm.utils.upstream import import_scope

_CLASS_LINE = re.compile(r'\S+\s+(-1|0|1)\s*')


def find_voc_lists(root: Path) -> list[Path]:
    """Return the lists of image names, ``train`` first; not VOC's lists per class."""
    folder = root / 'ImageSets' / 'Main'
    lists = [path for path in folder.glob('*.txt') if not _is_class_list(path)]
    first = ('train', 'val', 'test')
    return sorted(lists, key=lambda path: (path.stem not in first, path.stem))


def _is_class_list(path: Path) -> bool:
    """Whether it is one such as ``cat_train.txt``, whose lines end in -1, 0 or 1."""
    if '_' not in path.stem:
        return False
    with open(path, errors='replace') as file:
        return all(_CLASS_LINE.fullmatch(line) for line in file)


def is_readable_voc(root: Path) -> bool:
    """Whether XMLDataset finds any image: it takes ``.jpg`` and nothing else."""
    lists = find_voc_lists(root)
    names = [name for path in lists for name in _lines(path)]
    return any((root / 'JPEGImages' / f'{name}.jpg').is_file() for name in names)


def _lines(path: Path) -> list[str]:
    try:
        return list_from_file(str(path))
    except (OSError, UnicodeDecodeError):
        return []


def check_voc(result: CheckResult, root: Path, decode: bool, progress: bool) -> None:
    """Check annotations, images and instance masks of every list in ``ImageSets``.

    The XML files are read by mmdet's ``XMLDataset``, in a child process.

    Args:
        result: Takes the counts and findings.
        root: Folder with ``Annotations``, ``ImageSets`` and ``JPEGImages``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
    import_scope('mmdet')
    classes = read_voc_classes(root)
    seen_in_training: set[str] | None = None
    # Lists overlap (trainval): each image is read and reported only once.
    known: set[str] = set()
    for path in find_voc_lists(root):
        where, stems = path.name, _lines(path)
        reading = read_voc_list(result, root, path, classes, known)
        if reading is None:
            continue
        if not stems:
            result.add('no-images', where, 'the list is empty')
        for stem, count in Counter(stems).items():
            if count > 1 and stem not in known:
                result.add('duplicate-file-name', where, f'{stem} ({count} times)')
        new = {p: s for p, s in reading.images.items() if Path(p).stem not in known}
        for image, size in new.items():
            _masks(result, where, root, Path(image).stem, size, reading.objects[image])
        _files(result, where, new, decode, progress)
        known |= set(stems)
        found = set(reading.names)
        if seen_in_training is None:
            seen_in_training = found
        for name in sorted(found - seen_in_training):
            result.add('unseen-class', where, name)
        result.splits[where] = {
            'images': len(stems),
            'objects': len(reading.names),
            'classes': len(found),
        }


def read_voc_list(
    result: CheckResult,
    root: Path,
    path: Path,
    classes: Sequence[str] | None,
    known: set[str],
) -> Any:
    """Read one list in a child process; None if the process or the list fails."""
    from msbreg_mm.datasets.check.voc_reading import read_voc

    own = CheckResult(result.root, result.max_examples)
    try:
        own, reading = run_in_child(read_voc, own, root, path, classes, known)
    except (ChildError, OSError, UnicodeDecodeError) as error:
        result.add('unreadable-annotation', path.name, str(error))
        return None
    result.findings.update(own.findings)
    return reading


def _masks(
    result: CheckResult,
    where: str,
    root: Path,
    stem: str,
    expected_size: tuple[int, int],
    num_objects: int,
) -> None:
    """Check the index image, where the set has one for this image."""
    path = root / 'SegmentationObject' / f'{stem}.png'
    if not path.is_file():
        return
    try:
        with Image.open(path) as image:
            mode, size = image.mode, image.size
            indices = np.unique(np.asarray(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        result.add('malformed-mask', where, f'{path.name}: {error}')
        return
    if mode not in ('P', 'L') or size != expected_size:
        text = f'{path.name}: mode {mode}, {size[0]} x {size[1]}; 8-bit indices, '
        text += f'{expected_size[0]} x {expected_size[1]} expected'
        result.add('malformed-mask', where, text)
        return
    present = set(indices.tolist()) - {0, 255}
    expected = set(range(1, num_objects + 1))
    for position in sorted(expected - present):
        result.add('empty-mask', where, f'{path.name}: object {position}')
    for position in sorted(present - expected):
        text = f'{path.name}: index {position}, but {len(expected)} objects in the XML'
        result.add('malformed-mask', where, text)


def _files(
    result: CheckResult,
    where: str,
    images: dict[str, tuple[int, int]],
    decode: bool,
    progress: bool,
) -> None:
    from msbreg_mm.datasets.check.voc_reading import left_out

    sizes = read_sizes(result, where, list(map(Path, images)), decode, progress)
    for path, size in sizes.items():
        listed = images[str(path)]
        if size != listed:
            text = f'{path.name}: {listed[0]} x {listed[1]} in the XML, '
            text += f'{size[0]} x {size[1]} in the file'
            lost = left_out(listed, size)
            result.add('size-mismatch' if lost else 'size-differs', where, text)
