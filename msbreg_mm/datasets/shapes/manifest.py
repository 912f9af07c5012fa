"""The file that tells what a generated folder holds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from msbreg_mm.utils.errors import ExistingInputError

MANIFEST = 'manifest.json'


def find_equal(
    root: Path, parameters: dict[str, Any], force: bool
) -> dict[str, Any] | None:
    """Return the manifest of an equal set at ``root``, ``None`` if one is to be made.

    Raises:
        ExistingInputError: If ``root`` is something else, or differs without ``force``.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        manifest = json.loads((root / MANIFEST).read_text())
        stored = manifest['parameters']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExistingInputError(
            f'{root} exists and is no generated set of shapes (no readable '
            f'{MANIFEST}); choose another folder or remove it yourself'
        ) from error
    if force:
        return None
    differing = [
        f'{name}: {stored.get(name)} there, {value} asked'
        for name, value in parameters.items()
        if stored.get(name) != value
    ]
    if differing:
        raise ExistingInputError(
            f'{root} holds shapes of other parameters ({"; ".join(differing)}); '
            'use force (--force) to replace it or choose another folder'
        )
    for name in manifest['files']:
        if not (root / name).is_file():
            raise ExistingInputError(
                f'{root} is damaged: {name} is missing; use force (--force) to make '
                'it again'
            )
    return manifest


def list_files(folder: Path) -> list[str]:
    """Return the files below ``folder``, relative to it and sorted."""
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return [path.relative_to(folder).as_posix() for path in paths]


def digest_files(folder: Path, files: list[str]) -> str:
    """Return the SHA-256 over the names and contents of ``files``."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode())
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()
