"""Check semantic segmentation as mmseg reads it: VOC's lists, and Cityscapes."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import list_from_file
from PIL import Image

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.transforms.reading import CorruptImageError, check_file
from msbreg_mm.datasets.voc import VOC_CLASSES, read_voc_classes
from msbreg_mm.utils.upstream import import_scope

IGNORED = 255
"""Pixel value that belongs to no class: VOC's border, Cityscapes' void."""

_CITYSCAPES_CLASSES = 19
_IMAGE, _MASK = '_leftImg8bit.png', '_gtFine_labelTrainIds.png'
_VOC_MASKS = ('SegmentationClass', 'SegmentationClassAug')
_SUFFIXES = ('.jpg', '.png', '.jpeg', '.JPG', '.bmp', '.tif')


@dataclass(frozen=True)
class SegSplit:
    """What mmseg's BaseSegDataset needs to know of a split.

    Args:
        images: Folder of the images.
        masks: Folder of the masks.
        listing: List of names; '' takes all images of the folder.
        image_suffix: What the name of each image ends in.
        mask_suffix: The same of its mask.
    """

    images: Path
    masks: Path
    listing: str = ''
    image_suffix: str = _IMAGE
    mask_suffix: str = _MASK

    def pairs(self) -> list[tuple[Path, Path]]:
        """List the images and masks by mmseg's reader; none need exist."""
        from mmseg.datasets import BaseSegDataset

        data = BaseSegDataset(
            ann_file=self.listing,
            img_suffix=self.image_suffix,
            seg_map_suffix=self.mask_suffix,
            data_prefix={'img_path': str(self.images), 'seg_map_path': str(self.masks)},
            serialize_data=False,
        )
        infos = data.data_list
        return [(Path(i['img_path']), Path(i['seg_map_path'])) for i in infos]


def find_seg_splits(root: Path) -> dict[str, SegSplit]:
    """Find the splits of a data set.

    Args:
        root: Folder of the data set.

    Returns:
        Splits by name; empty if ``root`` has neither ``leftImg8bit`` nor lists in
        ``ImageSets/Segmentation`` with one of ``SegmentationClass`` and
        ``SegmentationClassAug``.
    """
    images = root / 'leftImg8bit'
    if images.is_dir():
        return {
            split: SegSplit(images / split, root / 'gtFine' / split)
            for split in ('train', 'val')
            if (images / split).is_dir()
        }
    folders = [root / name for name in _VOC_MASKS if (root / name).is_dir()]
    if not folders:
        return {}
    lists = sorted((root / 'ImageSets' / 'Segmentation').glob('*.txt'))
    return {path.name: _voc_split(root, path, folders) for path in lists}


def _voc_split(root: Path, path: Path, folders: list[Path]) -> SegSplit:
    # The lists of SBD ("aug", "trainaug") take its masks where there are two.
    masks = folders[-1 if 'aug' in path.stem else 0]
    images = root / 'JPEGImages'
    # A set has one suffix, which configs name (img_suffix); it is the first found.
    try:
        names = [line.strip() for line in list_from_file(str(path))]
    except (OSError, UnicodeDecodeError):
        names = []
    found = (
        suffix
        for name in names
        for suffix in _SUFFIXES
        if name and (images / f'{name}{suffix}').is_file()
    )
    return SegSplit(images, masks, str(path), next(found, '.jpg'), '.png')


def check_seg(result: CheckResult, root: Path, decode: bool, progress: bool) -> None:
    """Check that every image has a mask of its size with known class indices.

    Args:
        result: Takes the counts and findings.
        root: Folder of the data set; VOC's class indices run from 0 (background) to
            the number of lines of ``classes.txt``, 20 without that file, those of
            Cityscapes' ``labelTrainIds`` from 0 to 18.
        decode: Whether to decode all pixels of the images; masks always are.
        progress: Whether to show progress bars.
    """
    if importlib.util.find_spec('mmseg') is None:
        text = "needs onedl-mmsegmentation (pip install 'msbreg_mm[seg]')"
        result.add('not-checked', 'masks', text)
        return
    import_scope('mmseg')
    if (root / 'leftImg8bit').is_dir():
        num_classes = _CITYSCAPES_CLASSES
    else:
        num_classes = 1 + len(read_voc_classes(root) or VOC_CLASSES)
    # Lists overlap (trainval): each image is read and reported only once.
    known: set[Path] = set()
    for split, files in find_seg_splits(root).items():
        where = f'masks of {split}'
        try:
            pairs = files.pairs()
        except (OSError, UnicodeDecodeError, AssertionError) as error:
            result.add('unreadable-annotation', where, str(error))
            continue
        if not pairs:
            result.add('no-images', where, 'no image in this split')
        new = {image: mask for image, mask in pairs if image not in known}
        known |= set(new)
        sizes = read_sizes(result, where, list(new), decode, progress)
        masks = [(new[image], size) for image, size in sizes.items()]
        found = _masks(result, where, masks, num_classes)
        result.splits[where] = {'images': len(pairs), 'classes': len(found)}


def _masks(
    result: CheckResult,
    where: str,
    masks: Sequence[tuple[Path, tuple[int, int]]],
    num_classes: int,
) -> set[int]:
    """Check the masks of one split; returns the classes that occur."""
    found: set[int] = set()
    read = 0
    load = _loader()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda item: _indices(load, *item), masks)
        for (path, _), answer in zip(masks, answers, strict=True):
            if answer is None:
                result.add('missing-annotation', where, f'{path}{_hint(path)}')
                continue
            if isinstance(answer, str):
                result.add('malformed-mask', where, f'{path.name}: {answer}')
                continue
            read += 1
            outside = sorted(i for i in answer if num_classes <= i != IGNORED)
            if outside:
                text = f'{path.name}: indices {outside[:5]}, expected 0 to '
                text += f'{num_classes - 1} or {IGNORED}'
                result.add('unknown-category', where, text)
            found |= answer - {*outside, IGNORED}
    if read and len(found) < 2:
        only = f'class {min(found)}' if found else 'none'
        text = f'{read} masks have pixels of {only} alone beside {IGNORED}, which is '
        text += 'ignored: every network scores the same'
        result.add('no-classes', where, text)
    return found


def _loader() -> Callable[[Path], np.ndarray]:
    from mmseg.datasets.transforms import LoadAnnotations

    load = LoadAnnotations()

    def read(path: Path) -> np.ndarray:
        results: dict[str, Any] = {
            'seg_map_path': str(path),
            'reduce_zero_label': False,
            'seg_fields': [],
        }
        return load(results)['gt_seg_map']

    return read


def _indices(
    load: Callable[[Path], np.ndarray], path: Path, size: tuple[int, int]
) -> set[int] | str | None:
    """Return the pixel values that mmseg reads, the fault, or None for no file."""
    try:
        check_file(str(path))
        indices = load(path)
        with Image.open(path) as image:
            written = np.asarray(image)
    except FileNotFoundError:
        return None
    except CorruptImageError as error:
        return str(error).replace(str(path), path.name)
    # Pillow's decoders raise what damaged bytes happen to raise.
    except Exception as error:
        return str(error).replace(str(path), path.name) or type(error).__name__
    if indices.ndim != 2:
        return f'mode {image.mode}; 8-bit class indices expected'
    if indices.shape[::-1] != size:
        height, width = indices.shape
        return f'{width} x {height}, the image has {size[0]} x {size[1]}'
    if not np.array_equal(indices, written.squeeze()):
        return f'mode {image.mode}: mmseg keeps the lowest 8 bits of larger indices'
    return set(np.flatnonzero(np.bincount(indices.ravel())).tolist())


def _hint(path: Path) -> str:
    """Say how Cityscapes' training ids are made from its label ids."""
    labels = path.with_name(path.name.replace('labelTrainIds', 'labelIds'))
    if labels == path or not labels.is_file():
        return ''
    return ' (make it with csCreateTrainIdLabelImgs of cityscapesScripts)'
