"""Recognise the layout of a data set and check it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msbreg_mm.datasets.check.coco import check_coco, find_coco_files
from msbreg_mm.datasets.check.folders import check_folder, check_imagenet
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.check.seg import check_seg, find_seg_splits
from msbreg_mm.datasets.check.voc import (
    check_voc,
    find_voc_lists,
    is_readable_voc,
)
from msbreg_mm.utils.errors import MissingFolderError, MissingInputError, OptionError


@dataclass(frozen=True)
class Checker:
    """How one layout is recognised and checked.

    Attributes:
        finds: Whether a folder has what the layout needs.
        needs: What that is, for the error where it is asked for and not there.
        check: Called with the result, the folder, whether to decode images and
            whether to show progress; it adds counts and findings to the result.
    """

    finds: Callable[[Path], object]
    needs: str
    check: Callable[[CheckResult, Path, bool, bool], None]


# COCO stands apart: its files and folder of images can be named.
CHECKERS: dict[str, Checker] = {
    'voc': Checker(find_voc_lists, 'lists ImageSets/Main/*.txt', check_voc),
    'seg': Checker(
        find_seg_splits,
        'lists ImageSets/Segmentation/*.txt with masks in SegmentationClass, and no '
        'leftImg8bit/train or val',
        check_seg,
    ),
    'imagenet': Checker(
        lambda root: (root / 'train').is_dir(), 'folder train', check_imagenet
    ),
    'folder': Checker(lambda root: True, '', check_folder),
}
_SHIPPED = frozenset(CHECKERS)


def layouts() -> tuple[str, ...]:
    """Names of all layouts; ``'auto'`` recognises them."""
    return ('auto', 'coco', *CHECKERS)


def register_checker(name: str, checker: Checker) -> None:
    """Let data sets of another layout be checked (docs/extending.md).

    Args:
        name: Name of the layout; ``'auto'`` finds it, too.
        checker: What recognises and checks it.

    Raises:
        ValueError: If there is a layout of this name.
    """
    if name in layouts():
        raise ValueError(f'there is a layout {name!r} already')
    CHECKERS[name] = checker


def check_dataset(
    root: str | Path,
    layout: str = 'auto',
    *,
    annotations: Sequence[str | Path] = (),
    images: str | Path | None = None,
    decode: bool = True,
    max_examples: int = 3,
    progress: bool = True,
) -> CheckResult:
    """Check a data set in COCO, VOC, Cityscapes, ImageNet or plain folder layout.

    Args:
        root: Folder of the data set.
        layout: ``'auto'`` checks it as COCO, as VOC and as semantic segmentation
            (``'seg'``: VOC's class masks, Cityscapes) where these are there, else as
            ImageNet (``train`` with class folders or a list of labels), else as a
            plain folder.
        annotations: COCO files, relative to ``root``; defaults to those in
            ``annotations*/`` (only ``instances_*.json`` where there are such).
        images: Folder of the COCO images, relative to ``root``; searched by default.
        decode: Whether to decode every image, which alone finds truncated files.
        max_examples: How many examples each finding keeps.
        progress: Whether to show progress bars.

    Returns:
        Counts and findings; see :attr:`CheckResult.ok`.

    Raises:
        MissingFolderError: If ``root`` is no folder.
        MissingInputError: If the asked layout's files are not there.
        OptionError: If ``layout`` is unknown.
    """
    root = Path(root)
    if layout not in layouts():
        known = ', '.join(layouts())
        raise OptionError(f'layout must be one of {known}, got {layout!r}')
    if not root.is_dir():
        raise MissingFolderError(f'no folder {root}')
    files = [root / name for name in annotations] or find_coco_files(root)
    found = _recognise(root, files) if layout == 'auto' else [layout]
    result = CheckResult(str(root), max_examples, list(found))
    for name in found:
        if name == 'coco':
            if not files:
                raise MissingInputError(
                    f'no annotations*/*.json in {root}; name the files (--annotations)'
                )
            folder = None if images is None else root / images
            check_coco(result, root, files, folder, decode, progress)
            continue
        checker = CHECKERS[name]
        if not checker.finds(root):
            raise MissingInputError(f'no {checker.needs} in {root}')
        checker.check(result, root, decode, progress)
    return result


def _recognise(root: Path, files: Sequence[Path]) -> list[str]:
    found = ['coco'] if files else []
    # A set with COCO files whose XML only other readers can take (PNG) is fine.
    voc = (root / 'Annotations').is_dir() and find_voc_lists(root)
    if voc and (not files or is_readable_voc(root)):
        found.append('voc')
    if find_seg_splits(root):
        found.append('seg')
    found += [
        name
        for name, checker in CHECKERS.items()
        if name not in _SHIPPED and checker.finds(root)
    ]
    if not found and CHECKERS['imagenet'].finds(root):
        found.append('imagenet')
    return found or ['folder']
