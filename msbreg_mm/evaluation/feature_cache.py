"""Features on disk: computed once, whole or absent, shared by processes."""

import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.logging import print_log

from msbreg_mm.evaluation.features import check_finite, row_chunks
from msbreg_mm.utils.errors import OutputError
from msbreg_mm.utils.files import write_text
from msbreg_mm.utils.locks import FileLock, is_locked

# Seconds to wait for another process that computes the same features.
_PATIENCE = 24 * 3600.0

Write = Callable[[int, np.ndarray], None]


class FeatureCache:
    """A folder of feature files, named by what they were computed from.

    ``<key>.npy`` holds (N, D) float32 and ``<key>.json`` what it is, with a
    checksum; the second is written last, so that a file without it, cut off or
    damaged is computed again. A lock makes a second process wait for the first
    one and then use its features. All ranks of a process group fill one file, so
    they must share the folder.

    Args:
        folder: Made if missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(
        self,
        key: str,
        shape: tuple[int, int],
        fill: Callable[[Write], None],
        about: Mapping[str, Any] | None = None,
    ) -> tuple[np.ndarray, bool]:
        """Return features, computed by ``fill`` unless they are there.

        All ranks call it with equal arguments.

        Args:
            key: From :func:`msbreg_mm.evaluation.digests.digest`.
            shape: (N, D) of the features.
            fill: Computes this rank's rows and hands them to ``write(first_row,
                features)``.
            about: Notes for people, written into the JSON file.

        Returns:
            Read-only memory map (N, D), and whether it was there before.

        Raises:
            ValueError: If a computed feature is not finite; nothing is kept.
            OutputError: If the disk is full or a rank does not see the folder.
        """
        path = self.folder / f'{key}.npy'
        with self._locked(key):
            found = _from_main(lambda: self._is_whole(key, shape))
            if not found:
                self._compute(key, shape, fill, about or {})
        if not path.is_file():
            raise OutputError(
                f'{path} was written by another process but is not visible here; '
                'train_cfg.cache_dir must be on a file system that all ranks share'
            )
        return np.load(path, mmap_mode='r'), found

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the key's lock in the first process, for all of its group."""
        lock = FileLock(self.folder / f'.{key}.lock', f'the feature file {key}')
        if is_main_process():
            if is_locked(lock.path):
                print_log('Waiting for another process that computes these features.',
                          'current')  # fmt: skip
            lock.acquire(_PATIENCE)
        try:
            yield
            barrier()
        finally:
            lock.release()

    def _is_whole(self, key: str, shape: tuple[int, int]) -> bool:
        path, about = self.folder / f'{key}.npy', self.folder / f'{key}.json'
        if not about.is_file():
            return False
        try:
            noted = json.loads(about.read_text(encoding='utf-8'))
            features = np.load(path, mmap_mode='r')
            whole = (
                features.shape == shape
                and features.dtype == np.float32
                and noted['crc32'] == _checksum(features)
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            whole = False
        if not whole:
            print_log(f'{path} is damaged and computed again.', 'current')
        return whole

    def _compute(
        self,
        key: str,
        shape: tuple[int, int],
        fill: Callable[[Write], None],
        about: Mapping[str, Any],
    ) -> None:
        # One name per key: what a killed process leaves behind is overwritten.
        temporary = self.folder / f'.{key}.npy.tmp'
        try:
            if is_main_process():
                _allocate(temporary, shape)
            barrier()
            # Not through a memory map: a full disk would be a bus error there.
            with temporary.open('r+b') as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                begin, row_bytes = file.tell(), 4 * shape[1]

                def write(row: int, features: np.ndarray) -> None:
                    file.seek(begin + row * row_bytes)
                    file.write(np.ascontiguousarray(features, np.float32).data)

                fill(write)
                file.flush()
                os.fsync(file.fileno())
            barrier()
            if is_main_process():
                self._commit(key, temporary, about)
        finally:
            if is_main_process():
                temporary.unlink(missing_ok=True)

    def _commit(self, key: str, temporary: Path, about: Mapping[str, Any]) -> None:
        features = np.load(temporary, mmap_mode='r')
        check_finite(features, about.get('name', 'features'))
        noted = {**about, 'shape': features.shape, 'crc32': _checksum(features)}
        # The old note must not stand beside new features if this is cut short.
        (self.folder / f'{key}.json').unlink(missing_ok=True)
        temporary.replace(self.folder / f'{key}.npy')
        text = json.dumps(noted, indent=2, default=str) + '\n'
        write_text(self.folder / f'{key}.json', text)


def _allocate(path: Path, shape: tuple[int, int]) -> None:
    """Write the header and reserve the space; a full disk shows at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    with path.open('wb') as file:
        np.lib.format.write_array_header_1_0(file, header)
        size = 4 * shape[0] * shape[1]
        try:
            if hasattr(os, 'posix_fallocate'):
                os.posix_fallocate(file.fileno(), file.tell(), size)
            else:  # macOS
                file.truncate(file.tell() + size)
        except OSError as error:
            raise OutputError(
                error.errno,
                f'{error.strerror}: cannot reserve {size:,} bytes for features; free '
                'some space or set train_cfg.cache_dir',
                str(path),
            ) from error


def _checksum(features: np.ndarray) -> int:
    crc = 0
    for _, part in row_chunks(features):
        crc = zlib.crc32(np.ascontiguousarray(part).data, crc)
    return crc


def _from_main(call: Callable[[], Any]) -> Any:
    """Return what the call gives in the first process, in all of them."""
    result = [call() if is_main_process() else None]
    broadcast_object_list(result)
    return result[0]
