"""What ``torch.save``'s zip archives say about themselves, and torch does not check."""

import zipfile
from collections import Counter
from pathlib import Path

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.explain import HEAD_SIZE, explain, not_a_checkpoint
from msbreg_mm.checkpoints.explain import not_by_torch as _not_by_torch

NO_CHECKSUMS = (
    'the file has no checksums (only the zip files of torch.save have), so a damaged '
    'number would not be noticed'
)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive of ``torch.save``, else a legacy file.

    Args:
        path: Of the file.

    Raises:
        CheckpointError: If it is neither, or truncated.
    """
    with path.open('rb') as stream:
        head = stream.read(HEAD_SIZE)
    if head[:4] != b'PK\x03\x04':
        if head[:1] != b'\x80':  # what legacy files start with
            raise not_a_checkpoint(path, head)
        return False
    # The table of contents stands at the end: a truncated file has none.
    if not zipfile.is_zipfile(path):
        raise CheckpointError(
            f'{path} is truncated ({path.stat().st_size} bytes, no end of archive); '
            'fetch it again, or resume from an earlier checkpoint'
        )
    return True


def lacks_checksums(path: Path) -> bool:
    """Whether nothing in a file could show that a number in it is damaged.

    So it is with all formats but zip archives, and with those where torch was told
    to leave the checksums out (``torch.serialization.set_crc32_options``).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return all(entry.CRC == 0 for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True  # if it is a damaged archive, a reader will say so


def check_archive(path: Path) -> None:
    """Compare every entry of an archive with its CRC-32.

    torch maps the file into memory and never looks at the checksums. It can leave
    all of them out when it writes: see :func:`lacks_checksums`.

    Args:
        path: Of a zip archive.

    Raises:
        CheckpointError: If ``torch.save`` did not write it, an entry differs from
            its checksum, or entries are compressed or named twice, which torch and
            others read in different ways.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if error := _not_by_torch(path, names):
                raise error
            _check_table(path, entries)
            if all(entry.CRC == 0 for entry in entries):
                return
            damaged = archive.testzip()
    except CheckpointError:
        raise
    except Exception as error:
        raise explain(path, error) from None
    if damaged is not None:
        raise CheckpointError(
            f'{path} is damaged: {damaged} differs from its CRC-32 checksum; fetch it '
            'again, or resume from an earlier checkpoint'
        )


def _check_table(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    twice = [n for n, k in Counter(e.filename for e in entries).items() if k > 1]
    if twice:
        raise CheckpointError(
            f'{path} is damaged: it holds {twice[0]} twice; fetch it again'
        )
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                f'{path} is compressed inside ({entry.filename}), which torch.save '
                'does not do; unpack it, load it where it was made and save it again'
            )
