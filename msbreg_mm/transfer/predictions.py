"""Draw predicted and true masks of a few validation images."""

import base64
import colorsys
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from msbreg_mm.runs.folder import PREDICTIONS
from msbreg_mm.transfer.coco_data import load_predictions, load_truth
from msbreg_mm.transfer.details import validation_set
from msbreg_mm.utils.errors import DamagedFileError

# This project's choices.
SCORE = 0.3
WIDTH = 300
_MOST_PIXELS = 100_000_000
_LEAST_LABELLED = 30  # pixels of the drawing


@dataclass(frozen=True)
class Picture:
    """One drawn image as a data URL.

    Attributes:
        title: What it shows: ``'ground truth'`` or a checkpoint.
        url: ``data:image/jpeg;base64,…``.
        caption: Number of objects.
    """

    title: str
    url: str
    caption: str


def compare_predictions(
    folders: Mapping[str, Path], count: int = 4, score: float = SCORE
) -> list[list[Picture]]:
    """Draw the same validation images for several checkpoints.

    The images are chosen without looking at predictions: those whose number of
    objects is nearest to the median, in the order of the annotation file.

    Args:
        folders: Title → folder of a job that kept its predictions.
        count: Number of images.
        score: Least score of a drawn detection, in [0, 1].

    Returns:
        For each image, the ground truth and one picture per checkpoint; empty if
        no job kept its predictions.

    Raises:
        FileNotFoundError: If configs or annotations of the runs are gone.
    """
    kept = {name: found for name, path in folders.items() if (found := _read(path))}
    if not kept:
        return []
    data = validation_set(next(iter(folders.values())))
    truth = load_truth(data.ann_file)
    names = {cat['id']: cat['name'] for cat in truth['categories']}
    objects: dict[Any, list[dict]] = defaultdict(list)
    for annotation in truth['annotations']:
        if not annotation.get('iscrowd'):
            objects[annotation['image_id']].append(annotation)
    rows = []
    for image in _choose(truth['images'], objects, data.image_dir, count):
        pixels = read_image(data.image_dir / image['file_name'])
        drawn = {'ground truth': objects[image['id']]} | {
            name: [r for r in results[image['id']] if r['score'] >= score]
            for name, results in kept.items()
        }
        rows.append([_picture(t, pixels, found, names) for t, found in drawn.items()])
    return rows


def _read(folder: Path) -> dict[Any, list[dict]] | None:
    """Read a job's detections by image; masks where it has them."""
    for kind in ('segm', 'bbox'):
        file = folder / f'{PREDICTIONS}.{kind}.json'
        if file.is_file():
            by_image: dict[Any, list[dict]] = defaultdict(list)
            for result in load_predictions(file):
                by_image[result['image_id']].append(result)
            return by_image
    return None


def read_image(path: Path) -> Image.Image:
    """Decode an image, unless its header says that it is none to draw.

    Args:
        path: Image file.

    Raises:
        DamagedFileError: If it cannot be read, or is too large.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DamagedFileError(
                    f'{path} has {image.width} × {image.height} pixels'
                )
            return image.convert('RGB')
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DamagedFileError(f'{path} cannot be read: {error}') from None


def _choose(
    images: Sequence[dict], objects: Mapping[Any, list], image_dir: Path, count: int
) -> list[dict]:
    there = [
        image
        for image in images
        if objects[image['id']] and (image_dir / image['file_name']).is_file()
    ]
    if not there:
        return []
    median = np.median([len(objects[image['id']]) for image in there])
    nearest = sorted(there, key=lambda i: abs(len(objects[i['id']]) - median))[:count]
    return [image for image in there if image in nearest]


def _picture(
    title: str, pixels: Image.Image, found: Sequence[dict], names: Mapping[int, str]
) -> Picture:
    scale = WIDTH / pixels.width
    size = (WIDTH, max(round(pixels.height * scale), 1))
    canvas = np.asarray(pixels.resize(size, Image.Resampling.BICUBIC), np.float32)
    for item in found:
        mask = _mask(item, pixels.size, size)
        colour = np.array(class_colour(item['category_id']), np.float32)
        if mask is not None:
            canvas[mask] = 0.5 * canvas[mask] + 0.5 * colour
            canvas[mask & ~_eroded(mask)] = colour
    image = Image.fromarray(canvas.astype(np.uint8))
    for item in found:
        _annotate(image, item, scale, names.get(item['category_id'], '?'))
    return Picture(
        title, encode(image), f'{len(found)} object{"s" * (len(found) != 1)}'
    )


def encode(image: Image.Image) -> str:
    """Write an image as a data URL.

    Args:
        image: RGB.
    """
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=88)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode()


def _mask(item: dict, original: tuple[int, int], size: tuple[int, int]) -> Any:
    """Rasterise polygons or RLE at the size of the drawing."""
    from pycocotools import mask as coco_mask

    segmentation = item.get('segmentation')
    if not segmentation:
        return None
    width, height = original
    if isinstance(segmentation, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation['counts'], list):
        rle = coco_mask.frPyObjects(segmentation, height, width)
    else:
        rle = segmentation
    mask = Image.fromarray(coco_mask.decode(rle) * np.uint8(255))
    return np.asarray(mask.resize(size, Image.Resampling.BILINEAR)) > 127


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Shrink a mask by two pixels; what is lost is its outline."""
    for _ in range(2):
        padded = np.pad(mask, 1)
        mask = (
            mask
            & padded[:-2, 1:-1]
            & padded[2:, 1:-1]
            & padded[1:-1, :-2]
            & padded[1:-1, 2:]
        )
    return mask


def _annotate(image: Image.Image, item: dict, scale: float, name: str) -> None:
    draw = ImageDraw.Draw(image)
    x, y, width, height = (value * scale for value in item['bbox'])
    colour = class_colour(item['category_id'])
    draw.rectangle((x, y, x + width, y + height), outline=colour, width=1)
    if max(width, height) < _LEAST_LABELLED:
        return  # the label would hide the object
    text = f'{name} {item["score"]:.2f}' if 'score' in item else name
    left, top, right, bottom = draw.textbbox((0, 0), text, font=_font())
    w, h = right - left + 5, bottom - top + 4
    x = min(max(x, 0), image.width - w)
    y = y - h if y >= h else min(y, image.height - h)
    draw.rectangle((x, y, x + w, y + h), fill=colour)
    draw.text((x + 2 - left, y + 2 - top), text, fill='white', font=_font())


@cache
def _font() -> Any:
    from matplotlib import font_manager

    # matplotlib brings this font along.
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), 10)


def class_colour(category: int) -> tuple[int, int, int]:
    """Spread hues by the golden ratio; dark enough for white text.

    Args:
        category: Number of the class.
    """
    red, green, blue = colorsys.hls_to_rgb((category * 0.618034) % 1, 0.4, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)
