"""Read the wanted files of an archive or a folder in one pass; nothing is unpacked."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from msbreg_mm.utils.errors import DataError, MissingInputError

Key = TypeVar('Key', bound=Hashable)
Opener = Callable[[], IO[Any] | None]
# Of an archive within an archive, which is read into memory; Caltech-101 has 130 MB.
_LARGEST_INNER = 1 << 30


def collect(
    source: Path, wanted: Callable[[str], Key | None], largest: int
) -> dict[Key, bytes]:
    """Read files by what their path says.

    Args:
        source: Folder, ``.zip``, ``.tar`` or ``.tar.gz``; an archive within a zip is
            looked into.
        wanted: From a path within the source to a key, ``None`` for what is not
            wanted. The first file of a key counts.
        largest: Bytes that no wanted file has.

    Raises:
        MissingInputError: If the source is not there.
        DataError: If it is no archive, damaged, or a wanted file is too large.
    """
    if not source.exists():
        raise MissingInputError(f'no archive or folder {source}')
    found: dict[Key, bytes] = {}
    try:
        for path, size, opener in _files(source):
            key = wanted(path)
            if key is None or key in found:
                continue
            if size > largest:
                raise DataError(f'{source}: {path} has {size:,} bytes, expected fewer')
            stream = opener()
            if stream is not None:
                with stream:
                    found[key] = stream.read(largest + 1)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(
            f'{source} is no readable zip, tar or tar.gz: {error}; fetch it again'
        ) from error
    return found


def _files(source: Path) -> Iterator[tuple[str, int, Opener]]:
    if source.is_dir():
        for file in sorted(source.rglob('*')):
            if file.is_file():
                path = file.relative_to(source).as_posix()
                yield path, file.stat().st_size, partial(open, file, 'rb')
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            yield from _zip(archive)
    else:
        with tarfile.open(source, 'r:*') as archive:
            yield from _tar(archive)


def _zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, Opener]]:
    for item in archive.infolist():
        inner = item.filename.endswith(('.tar.gz', '.tgz', '.tar'))
        if inner and item.file_size <= _LARGEST_INNER:
            content = io.BytesIO(archive.read(item))
            with tarfile.open(fileobj=content, mode='r:*') as tar:
                yield from _tar(tar)
        elif not item.is_dir():
            yield (
                item.filename,
                item.file_size,
                partial(archive.open, item),
            )


def _tar(archive: tarfile.TarFile) -> Iterator[tuple[str, int, Opener]]:
    for item in archive:
        if item.isfile():
            yield (
                item.name,
                item.size,
                partial(archive.extractfile, item),
            )
