"""Check semantic segmentation: VOC's lists with class masks, and Cityscapes."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from msbreg_mm.datasets.check.images import read_sizes
from msbreg_mm.datasets.check.result import CheckResult
from msbreg_mm.datasets.voc import (
    VOC_CLASSES,
    find_voc_image,
    read_voc_classes,
    read_voc_list,
)

IGNORED = 255
"""Pixel value that belongs to no class: VOC's border, Cityscapes' void."""

_CITYSCAPES_CLASSES = 19
_IMAGE, _MASK = '_leftImg8bit.png', '_gtFine_labelTrainIds.png'
_VOC_MASKS = ('SegmentationClass', 'SegmentationClassAug')

Pairs = list[tuple[Path, Path]]


def find_seg_splits(root: Path) -> dict[str, Pairs]:
    """List the images and class masks of each split.

    Args:
        root: Folder of the data set.

    Returns:
        Split to (image, mask) paths, none of which need exist; empty if ``root`` has
        neither ``leftImg8bit`` nor lists in ``ImageSets/Segmentation`` with one of
        ``SegmentationClass`` and ``SegmentationClassAug``.
    """
    if (root / 'leftImg8bit').is_dir():
        return {
            split: _cityscapes_pairs(root, split)
            for split in ('train', 'val')
            if (root / 'leftImg8bit' / split).is_dir()
        }
    if not any((root / name).is_dir() for name in _VOC_MASKS):
        return {}
    lists = sorted((root / 'ImageSets' / 'Segmentation').glob('*.txt'))
    return {path.name: _voc_pairs(root, path) for path in lists}


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
    if (root / 'leftImg8bit').is_dir():
        num_classes = _CITYSCAPES_CLASSES
    else:
        num_classes = 1 + len(read_voc_classes(root) or VOC_CLASSES)
    # Lists overlap (trainval): each image is read and reported only once.
    known: set[Path] = set()
    for split, pairs in find_seg_splits(root).items():
        where = f'masks of {split}'
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
    there = []
    for path, size in masks:
        if path.is_file():
            there.append((path, size))
        else:
            result.add('missing-annotation', where, f'{path}{_hint(path)}')
    found: set[int] = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda item: _indices(*item), there)
        for (path, _), answer in zip(there, answers, strict=True):
            if isinstance(answer, str):
                result.add('malformed-mask', where, f'{path.name}: {answer}')
                continue
            outside = sorted(i for i in answer if num_classes <= i != IGNORED)
            if outside:
                text = f'{path.name}: indices {outside[:5]}, expected 0 to '
                text += f'{num_classes - 1} or {IGNORED}'
                result.add('unknown-category', where, text)
            found |= answer - {*outside, IGNORED}
    return found


def _indices(path: Path, size: tuple[int, int]) -> set[int] | str:
    """Return the pixel values of a mask, or its fault."""
    try:
        with Image.open(path) as image:
            mode, own = image.mode, image.size
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error).replace(str(path), path.name) or type(error).__name__
    if mode not in 'PL':
        return f'mode {mode}; 8-bit class indices expected'
    if own != size:
        return f'{own[0]} x {own[1]}, the image has {size[0]} x {size[1]}'
    return set(np.flatnonzero(np.bincount(pixels.ravel())).tolist())


def _hint(path: Path) -> str:
    """Say how Cityscapes' training ids are made from its label ids."""
    labels = path.with_name(path.name.replace('labelTrainIds', 'labelIds'))
    if labels == path or not labels.is_file():
        return ''
    return ' (make it with csCreateTrainIdLabelImgs of cityscapesScripts)'


def _cityscapes_pairs(root: Path, split: str) -> Pairs:
    images = sorted((root / 'leftImg8bit' / split).rglob(f'*{_IMAGE}'))
    masks = root / 'gtFine' / split
    return [
        (image, masks / image.parent.name / image.name.replace(_IMAGE, _MASK))
        for image in images
    ]


def _voc_pairs(root: Path, path: Path) -> Pairs:
    # The lists of SBD ("aug", "trainaug") take its masks where there are two.
    folders = _VOC_MASKS[:: -1 if 'aug' in path.stem else 1]
    pairs = []
    for stem in read_voc_list(path):
        masks = [root / folder / f'{stem}.png' for folder in folders]
        mask = next((mask for mask in masks if mask.is_file()), masks[0])
        fallback = root / 'JPEGImages' / f'{stem}.jpg'
        pairs.append((find_voc_image(root, stem) or fallback, mask))
    return pairs
