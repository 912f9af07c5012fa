"""Make the packs that the shipped ablations and most demo configs read."""

import io
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from msbreg_mm.datasets.packs.archives import collect
from msbreg_mm.datasets.packs.names import CLASSES, SPLITS, selection
from msbreg_mm.utils.environment import versions
from msbreg_mm.utils.errors import DataError, ExistingInputError, OptionError
from msbreg_mm.utils.files import write_bytes, write_json, write_text

PACKS = tuple(CLASSES)
# Short side, most of the long side, JPEG quality.
_SIDE, _LONGEST, _QUALITY = 80, 120, 75
_LARGEST_IMAGE = 16 << 20

_CIFAR_JPEG = re.compile(r'(?:.*/)?(train|test)/([a-z]+)/(\d+)\.jpg')
_CIFAR_BATCH = re.compile(r'(?:.*/)?(data_batch_([1-5])|test_batch)\.bin')
_CIFAR_ROW, _CIFAR_SIDE, _CIFAR_BATCH_ROWS = 3073, 32, 10000
_CALTECH = re.compile(r'(?:.*/)?([^/]+)/image_(\d{4})\.jpg')
_FLOWERS = re.compile(r'(?:.*/)?image_(\d{4})\.jpg')

Images = Mapping[tuple[str, int, int], bytes]
"""(split, label, number) to the bytes of an image file."""


def make_pack(pack: str, source: str | Path, root: str | Path) -> dict[str, int]:
    """Make a pack from the official archive.

    Args:
        pack: ``'cifar10'``, ``'caltech101'`` or ``'flowers17'``.
        source: The archive, or a folder with its content; docs/data.md says which.
        root: Folder to make.

    Returns:
        Split → number of images.

    Raises:
        OptionError: If there is no such pack.
        MissingInputError: If ``source`` is not there.
        DataError: If images of the pack are not in ``source``, or are damaged.
        ExistingInputError: If ``root`` is there and not empty.
    """
    source, root = Path(source), Path(root)
    if pack not in PACKS:
        raise OptionError(f'no pack {pack!r}; there are {", ".join(PACKS)}')
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ExistingInputError(f'{root} is there already; name a new folder')
    images = _READ[pack](source)
    _check(pack, source, images)
    # Hidden beside it, so that the pack is there whole or not at all.
    work = root.with_name(f'.{root.name}.tmp')
    shutil.rmtree(work, ignore_errors=True)
    try:
        for split in SPLITS:
            (_write_npz if pack == 'cifar10' else _write_folder)(
                pack, split, images, work
            )
        write_text(work / 'classes.txt', '\n'.join(CLASSES[pack]) + '\n')
        counts = {split: len(selection(pack, split)) for split in SPLITS}
        about = {'pack': pack, 'source': source.name, **counts}
        write_json(work / 'pack.json', {**about, 'versions': versions()})
        if root.exists():
            root.rmdir()
        os.replace(work, root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return counts


def _read_cifar10(source: Path) -> Images:
    """Take the JPEG files as they are, or the binary version as PNG."""
    labels = {name: label for label, name in enumerate(CLASSES['cifar10'])}
    wanted = _wanted('cifar10')

    def key(path: str) -> tuple[str, int, int] | None:
        match = _CIFAR_JPEG.fullmatch(path)
        if not match or match[2] not in labels:
            return None
        split = 'val' if match[1] == 'test' else 'train'
        found = split, labels[match[2]], int(match[3])
        return found if found in wanted else None

    return collect(source, key, _LARGEST_IMAGE) or _read_binary(source, wanted)


def _read_binary(source: Path, wanted: set[tuple[str, int, int]]) -> Images:
    def key(path: str) -> str | None:
        match = _CIFAR_BATCH.fullmatch(path)
        return match[1] if match else None

    size = _CIFAR_ROW * _CIFAR_BATCH_ROWS
    batches = collect(source, key, size)
    images: dict[tuple[str, int, int], bytes] = {}
    seen: dict[tuple[str, int], int] = {}
    for name in sorted(batches):  # data_batch_1 … data_batch_5, test_batch
        if not batches[name] or len(batches[name]) % _CIFAR_ROW:
            raise DataError(
                f'{source}: {name}.bin has {len(batches[name]):,} bytes, expected '
                f'rows of {_CIFAR_ROW}; fetch it again'
            )
        split = 'val' if name == 'test_batch' else 'train'
        rows = np.frombuffer(batches[name], np.uint8).reshape(-1, _CIFAR_ROW)
        for row in rows:
            label = int(row[0])
            number = seen.get((split, label), 0)
            seen[split, label] = number + 1
            if (split, label, number) in wanted:
                images[split, label, number] = _png(row[1:])
    return images


def _png(planes: np.ndarray) -> bytes:
    pixels = planes.reshape(3, _CIFAR_SIDE, _CIFAR_SIDE).transpose(1, 2, 0)
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, 'PNG')
    return stream.getvalue()


def _read_caltech101(source: Path) -> Images:
    labels = {name: label for label, name in enumerate(CLASSES['caltech101'])}
    splits = {key[1:]: key for key in _wanted('caltech101')}

    def key(path: str) -> tuple[str, int, int] | None:
        match = _CALTECH.fullmatch(path)
        return splits.get((labels.get(match[1], -1), int(match[2]))) if match else None

    return collect(source, key, _LARGEST_IMAGE)


def _read_flowers17(source: Path) -> Images:
    numbers = {key[2]: key for key in _wanted('flowers17')}

    def key(path: str) -> tuple[str, int, int] | None:
        match = _FLOWERS.fullmatch(path)
        return numbers.get(int(match[1])) if match else None

    return collect(source, key, _LARGEST_IMAGE)


_READ = {
    'cifar10': _read_cifar10,
    'caltech101': _read_caltech101,
    'flowers17': _read_flowers17,
}


def _wanted(pack: str) -> set[tuple[str, int, int]]:
    return {
        (split, label, number)
        for split in SPLITS
        for label, number in selection(pack, split).tolist()
    }


def _check(pack: str, source: Path, images: Images) -> None:
    if missing := sorted(_wanted(pack) - set(images)):
        split, label, number = missing[0]
        raise DataError(
            f'{source} lacks {len(missing):,} of the {len(_wanted(pack)):,} images of '
            f'{pack}, the first is number {number} of {CLASSES[pack][label]} '
            f'({split}); docs/data.md names the archives that have them'
        )


def _write_npz(pack: str, split: str, images: Images, root: Path) -> None:
    """Write the files one after another, as ``InMemoryImages`` reads them."""
    chosen = selection(pack, split)
    files = [images[split, label, number] for label, number in chosen.tolist()]
    names = [
        f'{CLASSES[pack][label]}/{number:04d}.jpg' for label, number in chosen.tolist()
    ]
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        jpeg=np.frombuffer(b''.join(files), np.uint8),
        offset=np.cumsum([0, *map(len, files)], dtype=np.int64),
        label=chosen[:, 0],
        name=np.array(names, 'S'),
    )
    write_bytes(root / f'{split}.npz', stream.getvalue())


def _write_folder(pack: str, split: str, images: Images, root: Path) -> None:
    lines = []
    for label, number in selection(pack, split).tolist():
        name = f'{CLASSES[pack][label]}/image_{number:04d}.jpg'
        lines.append(f'{name} {label}')
        try:
            content = shrink(images[split, label, number])
        except (
            OSError,
            SyntaxError,
            ValueError,
            Image.DecompressionBombError,
        ) as error:
            raise DataError(f'{name} cannot be decoded: {error}') from error
        file = root / split / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    write_text(root / f'{split}.txt', '\n'.join(lines) + '\n')


def shrink(content: bytes) -> bytes:
    """Resize an image file: short side 80 px, long side at most 120 px, JPEG.

    Args:
        content: Any image file.

    Returns:
        RGB JPEG of quality 75; Lanczos, and a centre crop of the long side.
    """
    with Image.open(io.BytesIO(content)) as image:
        picture = image.convert('RGB')
    scale = _SIDE / min(picture.size)
    width, height = (max(_SIDE, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (max(0, side - _LONGEST) // 2 for side in (width, height))
    box = (left, top, left + min(width, _LONGEST), top + min(height, _LONGEST))
    stream = io.BytesIO()
    picture.crop(box).save(stream, 'JPEG', quality=_QUALITY)
    return stream.getvalue()
