"""Files that are either whole or absent, and JSON that may be damaged."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from msbreg_mm.utils.errors import (
    DamagedFileError,
    InputError,
    MissingInputError,
    OutputError,
)

# Records, states and reports of runs have kilobytes.
MOST_JSON = 64 << 20


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a file in one step; readers see the old or the new content.

    Args:
        path: File; missing folders are made.
        content: Content.

    Raises:
        OutputError: If it cannot be written, e.g. on a full disk; the temporary file
            is gone and the old content stays.
    """
    path = Path(path)
    # Not a random name: what a killed process leaves behind is overwritten when
    # the run resumes and writes the same file again. Hidden, so that no `*.pth`
    # pattern finds it.
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open('wb') as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            error.errno,
            f'{error.strerror or error}: cannot write {len(content):,} bytes (what '
            'was there before is untouched); free some space or choose another '
            'work_dir',
            str(path),
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Replace a text file (UTF-8) in one step, see :func:`write_bytes`."""
    # Halves of characters come with file names that are not UTF-8.
    write_bytes(path, text.encode('utf-8', 'replace'))


def write_json(path: str | Path, content: Any) -> None:
    """Replace a JSON file in one step, see :func:`write_bytes`.

    Args:
        path: File; missing folders are made.
        content: What JSON can hold.
    """
    write_text(path, json.dumps(content, indent=2) + '\n')


def load_json(path: str | Path, most: int = MOST_JSON) -> Any:
    """Read a JSON file that anyone may have written.

    Args:
        path: A regular file: a pipe would be waited for, a device has no end.
        most: Bytes that it may have.

    Returns:
        What it holds.

    Raises:
        MissingInputError: If there is no such file.
        DamagedFileError: If it is not readable, too large, nested too deeply or not
            JSON in UTF-8.
    """
    path = Path(path)
    try:
        if not path.is_file():
            if path.exists() or path.is_symlink():
                raise DamagedFileError(f'{path} is not a regular file')
            raise MissingInputError(f'no file {path}')
        if (size := path.stat().st_size) > most:
            raise DamagedFileError(
                f'{path} has {size:,} bytes, more than the {most:,} of any such file'
            )
        return json.loads(path.read_text(encoding='utf-8'))
    except InputError:
        raise
    except RecursionError:
        raise DamagedFileError(f'{path} is nested too deeply') from None
    except (OSError, ValueError, MemoryError) as error:
        raise DamagedFileError(f'{path} is not readable as JSON: {error}') from None


def read_json(path: str | Path) -> dict[str, Any] | None:
    """Read a JSON object; ``None`` if there is none or it is damaged."""
    try:
        content = load_json(path)
    except InputError:
        return None
    return content if isinstance(content, dict) else None
