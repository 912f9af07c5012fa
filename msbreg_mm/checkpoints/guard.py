"""Let mmengine open no file but through this sub-package.

mmengine's loader, behind ``load_from``, ``resume``, ``init_cfg`` of any module, teacher
configs and model zoo addresses, tries ``weights_only=True`` and then silently loads
without; addresses it loads without from the start. :func:`install` puts safe functions
into the two places where all of that comes together, and reads pickled annotations as
plain data.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.fileio.handlers import PickleHandler
from mmengine.fileio.handlers.registry_utils import file_handlers
from mmengine.runner import checkpoint as _upstream

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import load_torch
from msbreg_mm.checkpoints.safety import ArrayUnpickler, check_memo, read_globals

_trusted = False


def install() -> None:
    """Replace mmengine's ways of opening checkpoints and pickles; once is enough."""
    _upstream._safe_torch_load = load_safely
    _upstream.load_url = fetch_safely
    for suffix in ('pickle', 'pkl'):
        file_handlers[suffix] = PlainPickleHandler()


class PlainPickleHandler(PickleHandler):
    """Reads pickled annotations and proposals: plain data and numpy arrays."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read an open file.

        Raises:
            CheckpointError: If the pickle asks for code or is damaged.
        """
        if _trusted:
            return super().load_from_fileobj(file, **kwargs)
        try:
            check_memo(file)
            return ArrayUnpickler(file, **kwargs).load()
        except Exception as error:
            raise CheckpointError(
                f'{getattr(file, "name", "a pickle")} is damaged or asks for code '
                f'({error}); a pickle can run anything, so only plain data and numpy '
                'arrays are read. Write it as JSON, or pass --trust if you trust '
                'whoever made it'
            ) from None

    def load_from_path(self, filepath: Any, **kwargs: Any) -> Any:
        """Read a file; see :meth:`load_from_fileobj`."""
        with open(filepath, 'rb') as stream:
            return self.load_from_fileobj(stream, **kwargs)


def trust_pickles(trust: bool) -> None:
    """Let pickles run their code from now on, or not; not by default.

    Args:
        trust: What the user said (``--trust``).
    """
    global _trusted
    _trusted = trust


def load_safely(file: Any, map_location: Any = None, weights_only: Any = None) -> Any:
    """Load a file as mmengine's function of the same place does, but safely.

    Args:
        file: Path, or an open binary file.
        map_location: As ``torch.load`` takes it.
        weights_only: Not looked at: what mmengine's callers want makes no file safe.

    Returns:
        The content.

    Raises:
        CheckpointError: If the file is missing, damaged or asks for code.
    """
    if isinstance(file, (str, os.PathLike)):
        return _load(Path(file), map_location)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'stream.pth'
        path.write_bytes(file.read())
        # Mapped memory outlives the name.
        return _load(path, map_location)


def fetch_safely(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> Any:
    """Download a checkpoint, once, and load it safely.

    Args:
        url: Address.
        model_dir: Folder to keep it in; torch's by default.
        map_location: As ``torch.load`` takes it.
        progress: Whether to show a bar.
        check_hash: Whether the name holds the start of the SHA-256 digest.
        file_name: Name to keep it under.

    Returns:
        The content.

    Raises:
        CheckpointError: If it cannot be fetched, is damaged or asks for code.
    """
    folder = Path(model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints'))
    path = folder / (file_name or os.path.basename(urlparse(url).path))
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        found = torch.hub.HASH_REGEX.search(path.name) if check_hash else None
        fetch: Callable[..., None] = torch.hub.download_url_to_file
        try:
            fetch(url, str(path), found.group(1) if found else None, progress=progress)
        except (OSError, RuntimeError) as error:
            raise CheckpointError(
                f'{url} cannot be fetched ({error}); fetch it by other means and give '
                'the path of the file'
            ) from None
    return _load(path, map_location)


def _load(path: Path, map_location: Any) -> Any:
    if not path.is_file():
        raise CheckpointError(f'{path}: no such file; check the path')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path} is empty (truncated?); fetch it again')
    content = load_torch(
        path, read_globals(), trust=_trusted, map_location=map_location
    )
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, expected a dict of tensors; '
            "save the model's state_dict() instead"
        )
    return content


install()
