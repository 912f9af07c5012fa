"""Recognise the layout of a data set and check it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

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

Layout = Literal['auto', 'coco', 'voc', 'seg', 'imagenet', 'folder']
LAYOUTS: tuple[Layout, ...] = ('auto', 'coco', 'voc', 'seg', 'imagenet', 'folder')


def check_dataset(
    root: str | Path,
    layout: Layout = 'auto',
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
    if layout not in LAYOUTS:
        raise OptionError(f'layout must be one of {", ".join(LAYOUTS)}, got {layout!r}')
    if not root.is_dir():
        raise MissingFolderError(f'no folder {root}')
    files = [root / name for name in annotations] or find_coco_files(root)
    layouts = _recognise(root, files) if layout == 'auto' else [layout]
    result = CheckResult(str(root), max_examples, list(layouts))
    if 'coco' in layouts:
        if not files:
            raise MissingInputError(
                f'no annotations*/*.json in {root}; name the files (--annotations)'
            )
        folder = None if images is None else root / images
        check_coco(result, root, files, folder, decode, progress)
    if 'voc' in layouts:
        if not find_voc_lists(root):
            raise MissingInputError(f'no lists ImageSets/Main/*.txt in {root}')
        check_voc(result, root, decode, progress)
    if 'seg' in layouts:
        if not find_seg_splits(root):
            raise MissingInputError(
                'no lists ImageSets/Segmentation/*.txt with masks in SegmentationClass '
                f'and no leftImg8bit/train or val in {root}'
            )
        check_seg(result, root, decode, progress)
    if 'imagenet' in layouts:
        if not (root / 'train').is_dir():
            raise MissingInputError(f'no folder train in {root}')
        check_imagenet(result, root, decode, progress)
    if 'folder' in layouts:
        check_folder(result, root, decode, progress)
    return result


def _recognise(root: Path, files: Sequence[Path]) -> list[str]:
    layouts = []
    if files:
        layouts.append('coco')
    # A set with COCO files whose XML only other readers can take (PNG) is fine.
    voc = (root / 'Annotations').is_dir() and find_voc_lists(root)
    if voc and (not files or is_readable_voc(root)):
        layouts.append('voc')
    if find_seg_splits(root):
        layouts.append('seg')
    if not layouts and (root / 'train').is_dir():
        layouts.append('imagenet')
    return layouts or ['folder']
