"""Tiny semantic segmentation sets in the layouts of VOC2012 and Cityscapes."""

import numpy as np
from PIL import Image

SIZE = (96, 72)  # width, height


def write_pair(image_path, mask_path, classes, size=SIZE, seed=0):
    """A noise image and a mask: a block of one class inside a void border."""
    for path in (image_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(image_path)
    mask = np.zeros(size[::-1], np.uint8)
    mask[10:50, 10:60] = 255
    mask[12:48, 12:58] = 1 + seed % (classes - 1)
    Image.fromarray(mask).save(mask_path)


def write_listed(root, ann_file, masks, suffix='.jpg', classes=21, num_images=2):
    """One list of VOC's layout, with its images and masks."""
    path = root / ann_file
    path.parent.mkdir(parents=True, exist_ok=True)
    stems = [f'{path.stem}_{index}' for index in range(num_images)]
    path.write_text(''.join(f'{stem}\n' for stem in stems))
    for index, stem in enumerate(stems):
        image = root / 'JPEGImages' / f'{stem}{suffix}'
        seed = len(path.stem) + index
        write_pair(image, root / masks / f'{stem}.png', classes, seed=seed)


def write_voc_seg(root, num_images=2):
    """VOC2012 with SBD: lists ``train``, ``val`` and ``aug``, masks of 21 classes."""
    masks = {'train': 'SegmentationClass', 'val': 'SegmentationClass'}
    masks['aug'] = 'SegmentationClassAug'
    for split, folder in masks.items():
        name = f'ImageSets/Segmentation/{split}.txt'
        write_listed(root, name, folder, num_images=num_images)
    return root


def write_cityscapes(root, num_images=2):
    """Cityscapes: one city per split, ``labelTrainIds`` masks of 19 classes."""
    for number, (split, city) in enumerate({'train': 'ulm', 'val': 'bonn'}.items()):
        for index in range(num_images):
            stem = f'{city}_00000{index}_000019'
            write_pair(
                root / f'leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png',
                root / f'gtFine/{split}/{city}/{stem}_gtFine_labelTrainIds.png',
                classes=19,
                size=(128, 64),
                seed=10 * number + index,
            )
    return root


def write_seg_dataset(dataset, root):
    """What one data set of mmseg's asks for."""
    if dataset.type == 'CityscapesDataset':
        write_cityscapes(root)
    else:
        masks = dataset.data_prefix.seg_map_path
        suffix = dataset.get('img_suffix', '.jpg')
        write_listed(root, dataset.ann_file, masks, suffix)
