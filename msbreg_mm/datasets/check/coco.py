"""Check COCO annotation files and their images, as mmdet and COCOeval read them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.utils.child import ChildError, run_in_child
from msbreg_mm.utils.upstream import import_scope

_SPLIT_WORD = re.compile(r'(minival|trainval|train|val|test)(\d{4})?')

Summary = tuple[CheckResult, list[tuple[object, str]], dict[str, tuple], int]
"""Findings; (id, name) of each label; (width, height, masks) by path; objects."""


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

    Each is read by mmdet's ``CocoDataset`` and ``LoadAnnotations``, and scored by
    COCO's evaluators with what it says as predictions, in a child process: a mask
    can take the C code behind them down. A file whose name says that it is only
    trained on is not scored.

    Args:
        result: Takes the counts and findings.
        root: Folder of the data set.
        files: Annotation files; those whose names differ only in the split (``train``,
            ``val``, ...) must have equal categories in one order.
        image_folder: Folder of the images; searched below ``root`` if ``None``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
    import_scope('mmdet')
    labels: dict[str, tuple[str, list]] = {}
    for path in files:
        where = path.name
        folder = image_folder or find_images(root, path)
        summary = check_coco_file(result, path, folder, scored=is_scored(path))
        if summary is None:
            continue
        classes, images, objects = summary
        _files(result, where, images, decode, progress)
        result.splits[where] = {
            'images': len(images),
            'objects': objects,
            'classes': len(classes),
        }
        group = _SPLIT_WORD.sub('*', path.stem)
        first, expected = labels.setdefault(group, (where, classes))
        compare_labels(result, where, classes, first, expected)


def is_scored(path: Path) -> bool:
    """Whether a file may be evaluated on: its name is not that of a training set."""
    words = {match[1] for match in _SPLIT_WORD.finditer(path.stem)}
    return not words or bool(words - {'train', 'trainval'})


def check_coco_file(
    result: CheckResult,
    path: Path,
    folder: Path,
    scored: bool,
    thorough: bool = True,
    masks: bool = True,
) -> tuple[list, dict, int] | None:
    """Read one file in a child process; None if it cannot be read.

    Args:
        result: Takes the findings.
        path: Annotation file.
        folder: Folder of its images.
        scored: Whether to ask the evaluators, too.
        thorough: Whether to draw every mask, which takes most of the time.
        masks: Whether to look at masks at all.

    Returns:
        (id, name) of each label, (width, height, whether there are masks) of each
        image by path, and the number of objects that the reader keeps.
    """
    before = dict(result.splits)
    own = CheckResult(result.root, result.max_examples)
    try:
        own, classes, images, objects = run_in_child(
            _read, own, path, folder, scored, thorough, masks
        )
    except ChildError as error:
        result.add('unreadable-annotation', path.name, str(error))
        return None
    result.splits = before
    result.findings.update(own.findings)
    return (classes, images, objects) if classes or images else None


def _read(
    note: Callable[[str], None],
    result: CheckResult,
    path: Path,
    folder: Path,
    scored: bool,
    thorough: bool,
    masks: bool,
) -> Summary:
    # Here: they take seconds, which the other layouts save.
    from msbreg_mm.datasets.check.coco_reading import read_coco
    from msbreg_mm.datasets.check.coco_scoring import score_perfect

    reading = read_coco(note, result, path, str(folder), thorough, masks)
    fatal = ('unreadable-annotation', 'malformed-record', 'malformed-mask')
    if scored and not any(result.count(kind) for kind in fatal):
        score_perfect(note, reading, path.name)
    images = {}
    for info in reading.infos:
        # Training draws polygons at the size of the file, an RLE has its own.
        masks_at_size = [m for m in _masks_of(info) if scored or isinstance(m, dict)]
        drawn = bool(masks_at_size)
        images[info['img_path']] = (info['width'], info['height'], drawn)
    objects = sum(len(info['instances']) for info in reading.infos)
    return result, list(zip(reading.ids, reading.names, strict=True)), images, objects


def _masks_of(info: dict) -> list:
    return [item['mask'] for item in info['instances'] if 'mask' in item]


def compare_labels(
    result: CheckResult, where: str, mine: list, other_where: str, other: list
) -> None:
    """Compare (id, name) of each label of two files."""
    if mine == other:
        return
    names, others = dict(mine), dict(other)
    before = result.count('category-mismatch')
    for number in sorted(names.keys() | others.keys(), key=str):
        own, theirs = names.get(number), others.get(number)
        if own != theirs:
            text = f'id {number} is {own!r}, in {other_where} {theirs!r}'
            result.add('category-mismatch', where, text)
    if result.count('category-mismatch') == before:
        for label, (own, theirs) in enumerate(zip(mine, other, strict=False)):
            if own != theirs:
                text = f'label {label} is {own[1]!r}, in {other_where} {theirs[1]!r}'
                text += ': mmdet numbers the classes in the order of the file'
                result.add('category-mismatch', where, text)


def find_images(root: Path, path: Path) -> Path:
    """Return the folder that has the first of a file's images, else the likeliest."""
    import json

    split = path.stem.split('_')[-1]
    folders = [
        root / name
        for name in ('JPEGImages', 'images', split, f'images/{split}', 'data', '')
    ]
    try:
        records = json.loads(path.read_bytes())['images'][:5]
        names = [str(record['file_name']) for record in records]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        names = []
    for name in names:
        for folder in folders:
            if (folder / name).is_file():
                return folder
    return next((folder for folder in folders if folder.is_dir()), root)


def _files(
    result: CheckResult,
    where: str,
    images: dict[str, tuple],
    decode: bool,
    progress: bool,
) -> None:
    paths = {Path(path): listed for path, listed in images.items()}
    sizes = read_sizes(result, where, list(paths), decode, progress)
    for path, size in sizes.items():
        width, height, masks = paths[path]
        if size != (width, height):
            text = f'{path.name}: {width} x {height} listed, '
            text += f'{size[0]} x {size[1]} in the file'
            # Boxes are taken as they are; scored masks are drawn at the listed size.
            result.add('size-mismatch' if masks else 'size-differs', where, text)
