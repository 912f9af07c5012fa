"""COCO annotations and detections for the report, checked before C code sees them.

pycocotools' rasteriser ends the process on masks or polygons of absurd size, and who
knows on what else: it runs in a process of its own.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msbreg_mm.utils.child import ChildError, run_in_child
from msbreg_mm.utils.errors import DamagedFileError
from msbreg_mm.utils.files import load_json
from msbreg_mm.utils.typed import is_number, plain_text

# COCO's val2017 with 100 detections an image has about 300 MB.
_MOST_BYTES = 1 << 30
_LONGEST_SIDE = 30_000
_MOST_POINTS = 20_000


def run_coco(file: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what runs COCO's C code on a run's files, in a child process.

    Args:
        file: What to name if it ends the process.
        function: Takes the arguments; its result is pickled.
        *arguments: What it takes.

    Returns:
        What the function returned.

    Raises:
        DamagedFileError: If a signal or the limits of memory or time ended it.
    """
    try:
        return run_in_child(lambda _, *given: function(*given), *arguments)
    except ChildError as error:
        raise _damaged(file, f'COCO cannot evaluate it: {error.reason}') from None


def load_predictions(file: Path) -> list[dict[str, Any]]:
    """Read detections as COCO's result files hold them.

    Args:
        file: JSON file.

    Returns:
        Detections with ``image_id``, ``category_id``, ``score`` and ``bbox`` or
        ``segmentation``.

    Raises:
        MissingInputError: If there is no such file.
        DamagedFileError: If an entry is not of that form.
    """
    content = load_json(file, _MOST_BYTES)
    for index, item in enumerate(_entries(file, content, 'detections')):
        if not is_number(item.get('score')):
            raise _damaged(file, f'detection {index} has no score')
        _check_object(file, f'detection {index}', item)
    return content


def load_truth(file: Path) -> dict[str, Any]:
    """Read COCO annotations.

    Args:
        file: JSON file.

    Returns:
        ``images``, ``annotations`` and ``categories``.

    Raises:
        MissingInputError: If there is no such file.
        DamagedFileError: If an entry is not of that form.
    """
    content = load_json(file, _MOST_BYTES)
    if not isinstance(content, dict):
        raise _damaged(file, 'it is no mapping')
    for index, image in enumerate(_entries(file, content.get('images'), 'images')):
        sides = [image.get('height', 1), image.get('width', 1)]
        named = isinstance(image.get('file_name'), str)
        if not named or not _is_id(image.get('id')) or not _is_size(sides):
            raise _damaged(file, f'image {index} has no id, file_name or sensible size')
    for index, cat in enumerate(
        _entries(file, content.get('categories'), 'categories')
    ):
        if not isinstance(cat.get('id'), int) or not isinstance(cat.get('name'), str):
            raise _damaged(file, f'category {index} has no id or name')
        cat['name'] = plain_text(cat['name'], 200)
    annotations = _entries(file, content.get('annotations'), 'annotations')
    for index, item in enumerate(annotations):
        _check_object(file, f'annotation {index}', item)
        if not _is_id(item.get('id')):
            raise _damaged(file, f'annotation {index} has no id')
    return content


def _entries(file: Path, content: Any, what: str) -> Iterable[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(x, dict) for x in content):
        raise _damaged(file, f'{what} are no list of mappings')
    return content


def _check_object(file: Path, name: str, item: dict[str, Any]) -> None:
    if not _is_id(item.get('image_id')) or not isinstance(item.get('category_id'), int):
        raise _damaged(file, f'{name} has no image_id or category_id')
    box = item.get('bbox')
    if box is not None and not _are_numbers(box, 4, 4):
        raise _damaged(file, f'{name} has a bbox that is not 4 numbers')
    if not _is_segmentation(item.get('segmentation')):
        raise _damaged(file, f'{name} has a segmentation that cannot be drawn')
    if box is None and not item.get('segmentation'):
        raise _damaged(file, f'{name} has neither bbox nor segmentation')


def _is_segmentation(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, list):
        return all(_are_numbers(polygon, 4, _MOST_POINTS) for polygon in value)
    if not isinstance(value, dict) or not _is_size(value.get('size')):
        return False
    counts = value.get('counts')
    if isinstance(counts, str):
        return counts.isascii()
    height, width = value['size']
    return (
        isinstance(counts, list)
        and all(isinstance(n, int) and n >= 0 for n in counts)
        and sum(counts) == height * width
    )


def _are_numbers(value: Any, least: int, most: int) -> bool:
    return (
        isinstance(value, list)
        and least <= len(value) <= most
        and all(is_number(x) and abs(x) <= 2 * _LONGEST_SIDE for x in value)
    )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(n, int) and 0 < n <= _LONGEST_SIDE for n in value)
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _damaged(file: Path, what: str) -> DamagedFileError:
    return DamagedFileError(f'{file}: {what}')
