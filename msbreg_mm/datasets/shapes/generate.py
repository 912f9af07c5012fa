"""Generate the embedded detection and instance-segmentation set."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from rich.progress import track

from msbreg_mm.datasets.shapes.manifest import (
    MANIFEST,
    digest_files,
    find_equal,
    list_files,
)
from msbreg_mm.datasets.shapes.outlines import CLASSES
from msbreg_mm.datasets.shapes.scene import Scene, SceneStyle, draw_scene
from msbreg_mm.datasets.shapes.writing import (
    LAYOUT,
    coco_objects,
    write_coco,
    write_jpeg,
    write_voc,
)
from msbreg_mm.utils.errors import OptionError

_VERSION = 2
"""Raise it whenever equal parameters would draw other pictures."""

_SEEDS = {'unlabelled': 0, 'train': 1, 'val': 2}


@dataclass(frozen=True)
class ShapesSummary:
    """What :func:`generate_shapes` wrote or found.

    Args:
        root: Folder of the data set.
        num_images: Images per split.
        num_instances: Objects per labelled split and class name.
        digest: SHA-256 over the names and contents of all files but the manifest.
        reused: Whether the folder was there already, with equal parameters.
    """

    root: Path
    num_images: dict[str, int]
    num_instances: dict[str, dict[str, int]]
    digest: str
    reused: bool

    def line(self) -> str:
        """Say in one line what the folder holds."""
        parts = []
        for split, images in self.num_images.items():
            objects = sum(self.num_instances.get(split, {}).values())
            parts.append(
                f'{images} {split}' + (f' ({objects} objects)' * bool(objects))
            )
        state = 'is there already' if self.reused else 'is made'
        return f'{self.root} {state}: {", ".join(parts)} images'


def generate_shapes(
    root: str | Path,
    *,
    num_unlabelled: int = 2000,
    num_train: int = 200,
    num_val: int = 150,
    image_size: int = 128,
    seed: int = 0,
    style: SceneStyle | None = None,
    force: bool = False,
    progress: bool = True,
) -> ShapesSummary:
    """Generate shapes over photographs in COCO and VOC layout; all or nothing.

    Seven classes of shapes, told apart by outline alone (colour and texture are drawn
    independently), with occlusion and variation of scale and rotation. ``train`` and
    ``unlabelled`` use other photographs than ``val``. Equal parameters and package
    versions give byte-identical files.

    The layout is ``unlabelled/*.jpg`` (no labels), ``JPEGImages/*.jpg``,
    ``annotations/{train,val}.json`` (COCO) and VOC's ``Annotations``, ``ImageSets``,
    ``SegmentationObject`` and ``SegmentationClass``.

    Args:
        root: Folder to make; its parents are made too.
        num_unlabelled: Images for self-supervised learning, at least 0.
        num_train: Labelled training images, at least 1.
        num_val: Labelled validation images, at least 1.
        image_size: Side of the square images in pixels, at least 48.
        seed: Non-negative seed of everything random.
        style: How full and hard the pictures are; defaults to ``SceneStyle()``.
        force: Replace a set of other parameters (never a folder of anything else).
        progress: Whether to show a progress bar.

    Returns:
        Counts and a digest. A second call with equal parameters returns at once.

    Raises:
        ValueError: If a number is out of range.
        FileExistsError: If ``root`` holds another data set or other files.
    """
    root = Path(root)
    parameters = {
        'version': _VERSION,
        'num_unlabelled': num_unlabelled,
        'num_train': num_train,
        'num_val': num_val,
        'image_size': image_size,
        'seed': seed,
        'style': asdict(style or SceneStyle()),
    }
    _check_ranges(parameters)
    if (found := find_equal(root, parameters, force)) is not None:
        return _summary(root, found, reused=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.with_name(f'.{root.name}.partial-{os.getpid()}')
    shutil.rmtree(partial, ignore_errors=True)
    try:
        manifest = _fill(partial, parameters, progress)
        _publish(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _summary(root, manifest, reused=False)


def _check_ranges(parameters: dict[str, Any]) -> None:
    lowest = {
        'num_unlabelled': 0,
        'num_train': 1,
        'num_val': 1,
        'image_size': 48,
        'seed': 0,
    }
    for name, least in lowest.items():
        if parameters[name] < least:
            raise OptionError(
                f'{name} must be at least {least}, got {parameters[name]}'
            )


def _summary(root: Path, manifest: dict[str, Any], reused: bool) -> ShapesSummary:
    return ShapesSummary(
        root=root,
        num_images=manifest['num_images'],
        num_instances=manifest['num_instances'],
        digest=manifest['digest'],
        reused=reused,
    )


def _publish(partial: Path, root: Path) -> None:
    """Put the finished folder in place of ``root``."""
    old = partial.with_name(partial.name + '-old')
    if root.exists():
        root.rename(old)
    try:
        partial.rename(root)
    except OSError:
        if old.exists():
            old.rename(root)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _scenes(split: str, parameters: dict[str, Any]) -> Iterator[Scene]:
    photos = 'val' if split == 'val' else 'train'
    style = SceneStyle(**parameters['style'])
    for index in range(parameters[f'num_{split}']):
        seeds = [parameters['seed'], _SEEDS[split], index]
        yield draw_scene(photos, parameters['image_size'], style, seeds)


def _fill(folder: Path, parameters: dict[str, Any], progress: bool) -> dict[str, Any]:
    """Write all splits into ``folder`` and return the manifest."""
    for name in LAYOUT:
        (folder / name).mkdir(parents=True)
    instances: dict[str, dict[str, int]] = {}
    next_image = next_annotation = 1
    for split in _SEEDS:
        total = parameters[f'num_{split}']
        pictures = []
        scenes = track(
            _scenes(split, parameters),
            description=f'shapes: {split}',
            total=total,
            disable=not progress,
        )
        for index, scene in enumerate(scenes):
            stem = f'{split}_{index:05d}'
            if split == 'unlabelled':
                write_jpeg(folder / split / f'{stem}.jpg', scene.image)
                continue
            pictures.append(_write_labelled(folder, stem, scene, next_image))
            next_image += 1
        if split != 'unlabelled':
            path = folder / 'annotations' / f'{split}.json'
            next_annotation = write_coco(path, pictures, next_annotation)
            _write_lists(folder, split, total)
            instances[split] = _count(pictures)
    (folder / 'classes.txt').write_text(''.join(f'{name}\n' for name in CLASSES))
    files = list_files(folder)
    manifest = {
        'parameters': parameters,
        'num_images': {split: parameters[f'num_{split}'] for split in _SEEDS},
        'num_instances': instances,
        'opencv': cv2.__version__,
        'digest': digest_files(folder, files),
        'files': files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + '\n')
    return manifest


def _write_labelled(
    folder: Path, stem: str, scene: Scene, image_id: int
) -> dict[str, Any]:
    write_jpeg(folder / 'JPEGImages' / f'{stem}.jpg', scene.image)
    objects = coco_objects(scene)
    write_voc(folder, stem, scene, objects)
    height, width = scene.image.shape[:2]
    image = {
        'id': image_id,
        'file_name': f'{stem}.jpg',
        'width': width,
        'height': height,
    }
    return {'image': image, 'objects': objects}


def _write_lists(folder: Path, split: str, total: int) -> None:
    names = ''.join(f'{split}_{index:05d}\n' for index in range(total))
    for kind in ('Main', 'Segmentation'):
        (folder / 'ImageSets' / kind / f'{split}.txt').write_text(names)


def _count(pictures: list[dict[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(CLASSES, 0)
    for picture in pictures:
        for record in picture['objects']:
            counts[CLASSES[record['category_id'] - 1]] += 1
    return counts
