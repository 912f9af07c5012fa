"""Check class folders, lists of labels and plain folders, as mmpretrain reads them."""

import contextlib
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.fileio import list_from_file
from mmengine.logging import MMLogger

from msbreg_mm.datasets.check.images import looks_like_image, read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.image_lists import read_lines
from msbreg_mm.utils.upstream import import_scope

# Lines of a list that are named.
_MOST_FAULTS = 20

Samples = list[tuple[Path, int]]


def check_imagenet(
    result: CheckResult, root: Path, decode: bool, progress: bool
) -> None:
    """Check ``train`` and ``val`` with class folders or label lists.

    A list has lines ``path label``, its paths relative to the split's folder, and is
    looked for as ``meta/{split}.txt``, which mmpretrain's ``ImageNet`` reads, then as
    ``{split}.txt``, which this project's ``InMemoryImages`` reads. It takes
    precedence over class folders, as in mmpretrain.

    Args:
        result: Takes the counts and findings.
        root: Folder with ``train`` and, if there is one, ``val``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
    import_scope('mmpretrain')
    classes: dict[str, set[str]] = {}
    for split in ('train', 'val'):
        folder = root / split
        if not folder.is_dir():
            continue
        listing = find_label_list(root, split)
        if listing is not None:
            paths, classes[split] = _read_labels(result, split, folder, listing)
        else:
            paths, classes[split] = _read_class_folders(result, split, folder)
        if not paths:
            result.add('no-images', split, str(folder))
        read_sizes(result, split, paths, decode, progress)
        result.splits[split] = {'images': len(paths), 'classes': len(classes[split])}
    if len(classes) == 2:
        for name in sorted(classes['train'] ^ classes['val']):
            only = 'train' if name in classes['train'] else 'val'
            result.add('category-mismatch', 'val', f'{name} occurs only in {only}')


def find_label_list(root: Path, split: str) -> Path | None:
    """Return the file of ``path label`` lines of a split, or ``None``."""
    for path in (root / 'meta' / f'{split}.txt', root / f'{split}.txt'):
        if path.is_file():
            return path
    return None


def _read_labels(
    result: CheckResult, split: str, folder: Path, listing: Path
) -> tuple[list[Path], set[str]]:
    read = _upstream_list if listing.parent.name == 'meta' else _own_list
    samples: Samples = []
    try:
        lines = list(enumerate(list_from_file(str(listing)), start=1))
    except (OSError, UnicodeDecodeError) as error:
        result.add('unreadable-annotation', split, f'{listing.name}: {error}')
        return [], set()
    for number, line, fault in _faulty_lines(read, folder, lines, samples):
        text = f'{listing.name} line {number}: {line!r} is not "path label" ({fault})'
        result.add('malformed-record', split, text)
    paths = [path for path, _ in samples]
    for path, label in samples:
        if label < 0:
            text = f'{listing.name}: {path.name} has the label {label}'
            result.add('malformed-record', split, text)
    for path, count in Counter(paths).items():
        if count > 1:
            result.add('duplicate-file-name', split, f'{path.name} ({count} times)')
    return paths, {str(label) for _, label in samples}


def _faulty_lines(
    read: Callable[[str, Path], Samples],
    folder: Path,
    lines: list[tuple[int, str]],
    samples: Samples,
) -> Iterator[tuple[int, str, Exception]]:
    """Give the lines that a reader refuses, by halves; the others go to samples."""
    stack, found = [lines], 0
    while stack:
        part = stack.pop()
        with tempfile.NamedTemporaryFile('w', suffix='.txt', delete=True) as file:
            file.write(''.join(f'{line}\n' for _, line in part))
            file.flush()
            try:
                samples += read(file.name, folder)
                continue
            except (ValueError, TypeError, IndexError) as error:
                fault = error
        if len(part) == 1:
            yield (*part[0], fault)
            found += 1
            if found == _MOST_FAULTS:
                return
        else:
            middle = len(part) // 2
            stack += [part[middle:], part[:middle]]


def _upstream_list(listing: str, folder: Path) -> Samples:
    return _samples(_dataset(ann_file=listing, data_prefix=str(folder)))


def _own_list(listing: str, folder: Path) -> Samples:
    infos = read_lines(listing, str(folder), with_label=True)
    return [(Path(info['img_path']), info['gt_label']) for info in infos]


def _read_class_folders(
    result: CheckResult, split: str, folder: Path
) -> tuple[list[Path], set[str]]:
    data = _dataset(data_prefix=str(folder), lazy_init=True)
    infos: list[dict[str, Any]] = []
    # RuntimeError: the reader found no image at all.
    with contextlib.suppress(RuntimeError), _quiet_logger():
        infos = data.load_data_list()
    names = data.metainfo.get('classes') or tuple(getattr(data, 'folder_to_idx', ()))
    for label in sorted(set(range(len(names))) - {info['gt_label'] for info in infos}):
        result.add('empty-class', split, str(folder / names[label]))
    if not names:
        text = f'{folder} has neither class folders nor a list meta/{split}.txt'
        result.add('missing-annotation', split, text)
    paths = [Path(info['img_path']) for info in infos]
    _left_out(result, split, folder, paths)
    return paths, set(names)


def check_folder(result: CheckResult, root: Path, decode: bool, progress: bool) -> None:
    """Check a folder of images without labels.

    Args:
        result: Takes the counts and findings.
        root: Folder; images in folders below it count too.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show a progress bar.
    """
    import_scope('mmpretrain')
    data = _dataset(data_prefix=str(root), with_label=False, lazy_init=True)
    try:
        paths = [Path(info['img_path']) for info in data.load_data_list()]
    except RuntimeError:
        paths = []
        result.add('no-images', 'images', f'no image below {root}')
    _left_out(result, 'images', root, paths)
    read_sizes(result, 'images', paths, decode, progress)
    result.splits['images'] = {'images': len(paths)}


def _left_out(result: CheckResult, where: str, folder: Path, paths: list[Path]) -> None:
    """Name files with the suffix of an image that the reader does not take."""
    taken = set(paths)
    for path in sorted(folder.rglob('*')):
        if looks_like_image(path) and path not in taken:
            result.add('dropped-file', where, str(path.relative_to(folder)))


def _dataset(**options: Any) -> Any:
    from mmpretrain.datasets import CustomDataset

    return CustomDataset(pipeline=[], serialize_data=False, **options)


def _samples(data: Any) -> Samples:
    return [(Path(info['img_path']), info['gt_label']) for info in data.data_list]


@contextlib.contextmanager
def _quiet_logger() -> Iterator[None]:
    """Hide the reader's warning of empty folders, which is a finding here."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
