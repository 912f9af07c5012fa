"""Tiny semantic segmentation sets in the layouts of VOC2012 and Cityscapes."""

import numpy as np
from PIL import Image

VOC_SIZE = (96, 72)
CITYSCAPES_SIZE = (128, 64)


def _write(image_path, mask_path, size, classes, seed):
    """A noise image and a mask with a block of one class and a void border."""
    rng = np.random.default_rng(seed)
    for path in (image_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(image_path)
    mask = np.zeros(size[::-1], np.uint8)
    mask[10:50, 10:60] = 255
    mask[12:48, 12:58] = 1 + seed % (classes - 1)
    Image.fromarray(mask).save(mask_path)


def write_voc_seg(root, num_images=2):
    """VOC2012 with SBD: lists ``train``, ``val`` and ``aug``, masks of 21 classes."""
    lists = root / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True, exist_ok=True)
    masks = {'train': 'SegmentationClass', 'val': 'SegmentationClass'}
    masks['aug'] = 'SegmentationClassAug'
    for number, (split, folder) in enumerate(masks.items()):
        stems = [f'{split}_{index}' for index in range(num_images)]
        (lists / f'{split}.txt').write_text(''.join(f'{s}\n' for s in stems))
        for index, stem in enumerate(stems):
            _write(
                root / 'JPEGImages' / f'{stem}.jpg',
                root / folder / f'{stem}.png',
                VOC_SIZE,
                21,
                10 * number + index,
            )
    return root


def write_cityscapes(root, num_images=2):
    """Cityscapes: one city per split, ``labelTrainIds`` masks of 19 classes."""
    for number, (split, city) in enumerate({'train': 'ulm', 'val': 'bonn'}.items()):
        for index in range(num_images):
            stem = f'{city}_00000{index}_000019'
            _write(
                root / f'leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png',
                root / f'gtFine/{split}/{city}/{stem}_gtFine_labelTrainIds.png',
                CITYSCAPES_SIZE,
                19,
                10 * number + index,
            )
    return root
