"""Tiny labelled sets in the layouts that mmpretrain's data sets read."""

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from fake_data import write_npz, write_voc
from PIL import Image

PIXELS = 40
CLASSES = 3
Images = list[tuple[Path, int]]  # path and label


def classes_of(kind: str, number: int = CLASSES) -> tuple[str, ...]:
    """The first classes that the data set of this name knows, or made-up ones."""
    from mmpretrain.registry import DATASETS

    known = getattr(DATASETS.get(kind), 'METAINFO', {}).get('classes')
    return tuple(known[:number]) if known else tuple(f'class{i}' for i in range(number))


def write_images(root: Path, names: Sequence[str], each: int, start: int = 0) -> Images:
    """``each`` images a class; ``names`` are patterns of label and number."""
    images = []
    numbers = count(start + 1)
    for label, name in enumerate(names):
        for _ in range(each):
            path = root / name.format(n=next(numbers))
            noise_of_class(path, label)
            images.append((path, label))
    return images


def noise_of_class(path: Path, label: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = len(list(path.parent.iterdir()))
    noise = np.random.default_rng([label, seed]).integers(0, 99, (PIXELS, PIXELS, 3))
    noise[..., label % 3] += 120
    Image.fromarray(noise.astype(np.uint8)).save(path, format='JPEG')


def lines(path: Path, texts: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(texts) + '\n')


def write_lists(root: Path, names: Sequence[str], each: int, folder: str = '') -> None:
    """ImageNet, Places205 and iNaturalist: lists ``path label`` in ``meta``."""
    for split in ('train', 'val'):
        place = root / (folder or split)
        patterns = [f'{name}/{name}_{split[0]}{{n}}.JPEG' for name in names]
        images = write_images(place, patterns, each)
        found = [f'{p.relative_to(place)} {label}' for p, label in images]
        lines(root / 'meta' / f'{split}.txt', found)


def write_imagenet(root: Path, each: int = 4) -> None:
    from msbreg_mm.datasets.imagenet_lists import convert_imagenet_list

    write_lists(root, ('n01440764', 'n01443537', 'n01484850'), each)
    names = [path.name for path in (root / 'train').rglob('*.JPEG')]
    for percent in (1, 10):
        lines(root / f'{percent}percent.txt', names)
        convert_imagenet_list(root / f'{percent}percent.txt', root)


def write_aircraft(root: Path, each: int = 4) -> None:
    names = classes_of('FGVCAircraft')
    for start, split in enumerate(('train', 'val', 'test')):
        images = write_images(
            root / 'data/images', ['{n:07}.jpg'] * len(names), each, 1000 * start
        )
        found = [f'{path.stem} {names[label]}' for path, label in images]
        lines(root / f'data/images_variant_{split}.txt', found)
    trainval = [
        (root / f'data/images_variant_{split}.txt').read_text().strip()
        for split in ('train', 'val')
    ]
    lines(root / 'data/images_variant_trainval.txt', trainval)


def write_caltech(root: Path, each: int = 4) -> None:
    folder = root / '101_ObjectCategories'
    for start, split in enumerate(('train', 'test')):
        names = [f'{name}/image_{{n:04}}.jpg' for name in classes_of('Caltech101')]
        images = write_images(folder, names, each, 1000 * start)
        found = [f'{p.relative_to(folder)} {label}' for p, label in images]
        lines(root / f'meta/{split}.txt', found)


def write_cars(root: Path, each: int = 4) -> None:
    from mat4py import savemat

    images = write_images(root / 'car_ims', ['{n:06}.jpg'] * CLASSES, 2 * each)
    annotations = dict(
        relative_im_path=[str(path.relative_to(root)) for path, _ in images],
        test=[i % 2 for i in range(len(images))],
    )
    annotations['class'] = [label + 1 for _, label in images]
    savemat(str(root / 'cars_annos.mat'), dict(annotations=annotations))


def write_cub(root: Path, each: int = 4, classes: int = CLASSES) -> None:
    names = [f'{i + 1:03}.bird/bird_{{n:04}}.jpg' for i in range(classes)]
    images = write_images(root / 'images', names, 2 * each)
    paths = [path.relative_to(root / 'images') for path, _ in images]
    lines(root / 'images.txt', [f'{i} {p}' for i, p in enumerate(paths, 1)])
    labels = [f'{i} {label + 1}' for i, (_, label) in enumerate(images, 1)]
    lines(root / 'image_class_labels.txt', labels)
    split = [f'{i} {i % 2}' for i in range(1, len(images) + 1)]
    lines(root / 'train_test_split.txt', split)


def write_dtd(root: Path, each: int = 4) -> None:
    from mat4py import savemat

    names = [f'{name}/{name}_{{n:04}}.jpg' for name in classes_of('DTD')]
    images = write_images(root / 'images', names, 3 * each)
    table = dict(
        name=[str(path.relative_to(root / 'images')) for path, _ in images],
        set=[i % 3 + 1 for i in range(len(images))],  # train, val, test
    )
    table['class'] = [label + 1 for _, label in images]
    (root / 'imdb').mkdir()
    savemat(str(root / 'imdb/imdb.mat'), dict(images=table))


def write_flowers(root: Path, each: int = 4) -> None:
    from mat4py import savemat

    images = write_images(root / 'jpg', ['image_{n:05}.jpg'] * CLASSES, 3 * each)
    labels = [label + 1 for _, label in images]
    savemat(str(root / 'imagelabels.mat'), dict(labels=labels))
    ids = list(range(1, len(images) + 1))
    split = dict(trnid=ids[::3], valid=ids[1::3], tstid=ids[2::3])
    savemat(str(root / 'setid.mat'), split)


def write_food(root: Path, each: int = 4) -> None:
    for start, split in enumerate(('train', 'test')):
        names = [f'{name}/{{n}}.jpg' for name in classes_of('Food101')]
        images = write_images(root / 'images', names, each, 1000 * (start + 1))
        found = [f'{path.parent.name}/{path.stem}' for path, _ in images]
        lines(root / f'meta/{split}.txt', found)


def write_pets(root: Path, each: int = 4) -> None:
    for start, split in enumerate(('trainval', 'test')):
        names = [f'{name}_{{n}}.jpg' for name in classes_of('OxfordIIITPet')]
        images = write_images(root / 'images', names, each, 1000 * start)
        found = [f'{path.stem} {label + 1} 1 1' for path, label in images]
        lines(root / f'annotations/{split}.txt', found)


def write_sun(root: Path, each: int = 4) -> None:
    folder = root / 'SUN397'
    for start, split in enumerate(('Training', 'Testing')):
        names = [f'{n[0]}/{n}/sun_{{n}}.jpg' for n in classes_of('SUN397')]
        images = write_images(folder, names, each, 1000 * start)
        found = [f'/{path.relative_to(folder)}' for path, _ in images]
        lines(root / f'Partitions/{split}_01.txt', found)


def write_cifar(root: Path, each: int = 4, fine: bool = False) -> None:
    folder = root / ('cifar-100-python' if fine else 'cifar-10-batches-py')
    folder.mkdir(parents=True)
    names = ['train'] if fine else [f'data_batch_{i}' for i in range(1, 6)]
    for seed, name in enumerate([*names, 'test' if fine else 'test_batch']):
        labels = [i % CLASSES for i in range(CLASSES * each)]
        rng = np.random.default_rng(seed)
        data = rng.integers(0, 256, (len(labels), 3072), np.uint8)
        entry = {'data': data, 'fine_labels' if fine else 'labels': labels}
        (folder / name).write_bytes(pickle.dumps(entry))


def write_voc07(root: Path, each: int = 10) -> None:
    """Two classes an image; every class in ``each / 10`` images of each list."""
    write_voc(root, {'train': each, 'val': each, 'test': each})
    lists = [(root / f'ImageSets/Main/{s}.txt').read_text() for s in ('train', 'val')]
    (root / 'ImageSets/Main/trainval.txt').write_text(''.join(lists))


def write_folders(root: Path, each: int = 2, classes: int = 17) -> None:
    """The packs of the demo, with all their classes."""
    for split in ('train', 'val'):
        names = [f'class{i:03}/{{n}}.jpg' for i in range(classes)]
        write_images(root / split, names, each)


def write_packs(root: Path, each: int = 220) -> None:
    """Both splits of the cifar10_24k pack, all ten classes."""
    for split in ('train', 'val'):
        write_npz(root / f'{split}.npz', each, 10)


def write_places(root: Path, each: int = 4) -> None:
    write_lists(root, ('abbey', 'alley'), each)


def write_inat(root: Path, each: int = 4) -> None:
    write_lists(root, ('Fungi', 'Aves'), each, 'train_val2018')


# By the name of the folder in the configs.
LAYOUTS: dict[str, Callable[..., None]] = {
    'imagenet': write_imagenet,
    'Places205': write_places,
    'iNaturalist2018': write_inat,
    'fgvc-aircraft-2013b': write_aircraft,
    'caltech-101': write_caltech,
    'Stanford_Cars': write_cars,
    'cifar10': write_cifar,
    'cifar100': partial(write_cifar, fine=True),
    'CUB_200_2011': write_cub,
    'dtd': write_dtd,
    'Flowers102': write_flowers,
    'food-101': write_food,
    'Oxford-IIIT_Pets': write_pets,
    'SUN397': write_sun,
    'VOC2007': write_voc07,
    'caltech101_80px': partial(write_folders, classes=99),
    'flowers17_80px_a': write_folders,
    'cifar10_24k': write_packs,
}


def write_layout(name: str, root: Path, **options: int) -> Path:
    """Write the data set that configs expect in ``data/…/<name>``."""
    LAYOUTS[name](root / name, **options)
    return root / name


def forget_md5(monkeypatch) -> None:
    """Let mmpretrain read CIFAR files that are not the published ones."""
    from mmpretrain.datasets import CIFAR10, CIFAR100

    for kind in (CIFAR10, CIFAR100):
        for files in ('train_list', 'test_list'):
            unchecked = [[name, None] for name, _ in getattr(kind, files)]
            monkeypatch.setattr(kind, files, unchecked)
