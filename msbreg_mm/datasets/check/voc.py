"""Check the Pascal VOC layout."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.voc import (
    VOCAnnotation,
    find_voc_image,
    read_voc_annotation,
    read_voc_classes,
    read_voc_list,
)


def find_voc_lists(root: Path) -> list[Path]:
    """Return the lists of image names, ``train`` first; not VOC's lists per class."""
    folder = root / 'ImageSets' / 'Main'
    lists = [path for path in folder.glob('*.txt') if '_' not in path.stem]
    first = ('train', 'val', 'test')
    return sorted(lists, key=lambda path: (path.stem not in first, path.stem))


def check_voc(result: CheckResult, root: Path, decode: bool, progress: bool) -> None:
    """Check annotations, images and instance masks of every list in ``ImageSets``.

    Args:
        result: Takes the counts and findings.
        root: Folder with ``Annotations``, ``ImageSets`` and ``JPEGImages``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
    listed = read_voc_classes(root)
    seen_in_training: set[str] | None = None
    # Lists overlap (trainval): each image is read and reported only once.
    known: dict[str, VOCAnnotation | None] = {}
    for path in find_voc_lists(root):
        stems = read_voc_list(path)
        new = _annotations(result, path.name, root, stems, known)
        for stem, annotation in new.items():
            _objects(result, path.name, stem, annotation)
            _masks(result, path.name, root, stem, annotation)
        _files(result, path.name, root, new, decode, progress)
        objects = [
            item
            for annotation in map(known.get, stems)
            if annotation is not None
            for item in annotation.objects
        ]
        classes = {item.name for item in objects}
        if seen_in_training is None:
            seen_in_training = classes
        for name in sorted(classes - set(listed or classes)):
            text = f'{name!r} is not in classes.txt'
            result.add('unknown-category', path.name, text)
        for name in sorted(classes - seen_in_training):
            result.add('unseen-class', path.name, name)
        result.splits[path.name] = {
            'images': len(stems),
            'objects': len(objects),
            'classes': len(classes),
        }


def _annotations(
    result: CheckResult,
    where: str,
    root: Path,
    stems: list[str],
    known: dict[str, VOCAnnotation | None],
) -> dict[str, VOCAnnotation]:
    """Read the XML files that are not ``known`` yet, and return those that are fine."""
    for stem, count in Counter(stems).items():
        if count > 1:
            result.add('duplicate-image-id', where, f'{stem} is listed {count} times')
    new: dict[str, VOCAnnotation] = {}
    for stem in dict.fromkeys(stem for stem in stems if stem not in known):
        path = root / 'Annotations' / f'{stem}.xml'
        known[stem] = None
        try:
            known[stem] = new[stem] = read_voc_annotation(path)
        except FileNotFoundError:
            result.add('missing-annotation', where, str(path))
        except ValueError as error:
            result.add('unreadable-annotation', where, str(error))
    if not stems:
        result.add('no-images', where, 'the list is empty')
    return new


def _objects(
    result: CheckResult, where: str, stem: str, annotation: VOCAnnotation
) -> None:
    if annotation.filename and Path(annotation.filename).stem != stem:
        text = f'{stem}.xml names {annotation.filename}'
        result.add('file-name-mismatch', where, text)
    if not annotation.objects:
        result.add('no-annotations', where, stem)
    for position, item in enumerate(annotation.objects, start=1):
        xmin, ymin, xmax, ymax = item.box
        box = ' '.join(f'{value:g}' for value in item.box)
        label = f'{stem}.xml object {position} ({item.name}): {box}'
        # mmdet reads [xmin - 1, xmax - 1]: equal ends give no area.
        if xmax <= xmin or ymax <= ymin:
            result.add('zero-area-box', where, label)
        if min(xmin, ymin) < 0 or xmax > annotation.width or ymax > annotation.height:
            text = f'{label} in {annotation.width} x {annotation.height}'
            result.add('box-outside', where, text)
        elif min(xmin, ymin) < 1:
            result.add('zero-based-box', where, label)


def _masks(
    result: CheckResult, where: str, root: Path, stem: str, annotation: VOCAnnotation
) -> None:
    """Check the index image, where the set has one for this image."""
    path = root / 'SegmentationObject' / f'{stem}.png'
    if not path.is_file():
        return
    try:
        with Image.open(path) as image:
            mode, size = image.mode, image.size
            indices = np.unique(np.asarray(image))
    except (OSError, SyntaxError, ValueError) as error:
        result.add('malformed-mask', where, f'{path.name}: {error}')
        return
    if mode not in ('P', 'L') or size != (annotation.width, annotation.height):
        text = f'{path.name}: mode {mode}, {size[0]} x {size[1]}; 8-bit indices, '
        text += f'{annotation.width} x {annotation.height} expected'
        result.add('malformed-mask', where, text)
        return
    present = set(indices.tolist()) - {0, 255}
    expected = set(range(1, len(annotation.objects) + 1))
    for position in sorted(expected - present):
        result.add('empty-mask', where, f'{path.name}: object {position}')
    for position in sorted(present - expected):
        text = f'{path.name}: index {position}, but {len(expected)} objects in the XML'
        result.add('malformed-mask', where, text)


def _files(
    result: CheckResult,
    where: str,
    root: Path,
    annotations: dict[str, VOCAnnotation],
    decode: bool,
    progress: bool,
) -> None:
    paths = {}
    for stem, annotation in annotations.items():
        fallback = root / 'JPEGImages' / f'{stem}.jpg'
        paths[find_voc_image(root, stem) or fallback] = annotation
    sizes = read_sizes(result, where, list(paths), decode, progress)
    for path, size in sizes.items():
        listed = (paths[path].width, paths[path].height)
        if size != listed:
            text = (
                f'{path.name}: {listed[0]} x {listed[1]} in the XML, '
                f'{size[0]} x {size[1]} in the file'
            )
            result.add('size-mismatch', where, text)
