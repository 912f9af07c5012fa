"""Check ImageNet-style class folders, lists of labels and plain image folders."""

from collections import Counter
from pathlib import Path

from msbreg_mm.datasets.check.images import list_images, read_sizes
from msbreg_mm.datasets.check.result import CheckResult


def check_imagenet(
    result: CheckResult, root: Path, decode: bool, progress: bool
) -> None:
    """Check ``train`` and ``val`` with class folders or ``meta/*.txt`` label lists.

    A list has lines ``path label``, its paths relative to the split's folder, and is
    looked for as ``meta/{split}.txt``, then ``{split}.txt``. It takes precedence over
    class folders, as in mmpretrain.

    Args:
        result: Takes the counts and findings.
        root: Folder with ``train`` and, if there is one, ``val``.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show progress bars.
    """
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
    paths, labels = [], set()
    for number, line in enumerate(listing.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(' ')
        if not name or not label.isdigit():
            text = f'{listing.name} line {number}: {line!r} is not "path label"'
            result.add('malformed-record', split, text)
            continue
        paths.append(folder / name)
        labels.add(label)
    for path, count in Counter(paths).items():
        if count > 1:
            result.add('duplicate-file-name', split, f'{path.name} ({count} times)')
    return paths, labels


def _read_class_folders(
    result: CheckResult, split: str, folder: Path
) -> tuple[list[Path], set[str]]:
    paths, names = [], set()
    for child in sorted(child for child in folder.iterdir() if child.is_dir()):
        images = list_images(child)
        names.add(child.name)
        paths += images
        if not images:
            result.add('empty-class', split, str(child))
    if not names:
        text = f'{folder} has neither class folders nor a list meta/{split}.txt'
        result.add('missing-annotation', split, text)
    return paths, names


def check_folder(result: CheckResult, root: Path, decode: bool, progress: bool) -> None:
    """Check a folder of images without labels.

    Args:
        result: Takes the counts and findings.
        root: Folder; images in folders below it count too.
        decode: Whether to decode all pixels of the images.
        progress: Whether to show a progress bar.
    """
    paths = list_images(root)
    if not paths:
        result.add('no-images', 'images', f'no image below {root}')
    read_sizes(result, 'images', paths, decode, progress)
    result.splits['images'] = {'images': len(paths)}
