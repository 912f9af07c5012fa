"""Images that cannot be read while a network is trained: counted, named, limited."""

import contextlib
import json
import logging
import os
import tempfile
import uuid
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from msbreg_mm.datasets.transforms.reading import MAX_PIXELS, CorruptImageError
from msbreg_mm.utils.errors import OptionError

# Files that the error at the limit names.
_SHOWN = 5


@dataclass(frozen=True)
class BadImagePolicy:
    """How many images of a training set may be unreadable: the key ``bad_images``.

    Args:
        max_count: So many files; 0 stops at the first.
        max_fraction: At most this share of the set, but one file is always within it.
        max_pixels: An image with more pixels counts as unreadable; its header says
            so before it is decoded.

    Both limits are this project's choice; the last is Pillow's.
    """

    max_count: int = 100
    max_fraction: float = 0.01
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.max_count < 0 or not 0 <= self.max_fraction <= 1 or self.max_pixels < 1:
            raise OptionError(
                'bad_images needs max_count of at least 0, max_fraction in [0, 1] and '
                f'max_pixels of at least 1, got {self}'
            )

    def limit(self, num_images: int) -> int:
        """How many of so many images may be unreadable."""
        return min(self.max_count, max(1, int(self.max_fraction * num_images)))


class BadImages:
    """The unreadable files of one training, each counted once.

    They are kept as lines of JSON in a file, which all workers and all processes
    append to (whole lines, by one write), so that they count together and the error
    at the limit can name files that other workers met.

    Args:
        limit: How many files may be unreadable; one more is an error.
        path: The file; by default a temporary one that goes with the process.
        option: What sets the limit, for the error.
    """

    def __init__(
        self,
        limit: int,
        path: str | os.PathLike | None = None,
        option: str = 'max_corrupt',
    ) -> None:
        self.limit = limit
        self.option = option
        self.path = Path(path or _temporary(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> 'BadImages':
        # Copies of a pipeline (mmengine's get_subset) count together.
        return self

    @property
    def files(self) -> dict[str, str]:
        """What is wrong with each file, in the order in which they were met."""
        try:
            text = self.path.read_text(encoding='utf-8')
        except FileNotFoundError:
            return {}
        found: dict[str, str] = {}
        for line in text.splitlines():
            # A process that is killed while it writes leaves a part of a line.
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                found.setdefault(entry['file'], entry['error'])
        return found

    @property
    def count(self) -> int:
        """How many files have been unreadable."""
        return len(self.files)

    def clear(self) -> None:
        """Forget all files."""
        self.path.unlink(missing_ok=True)

    def add(self, name: str, error: CorruptImageError) -> None:
        """Count and report a file, if it has not been before.

        Raises:
            CorruptImageError: If more than ``limit`` files are unreadable.
        """
        files = self.files
        if name not in files:
            self._append({'file': name, 'error': str(error)})
            files = self.files
            print_log(
                f'skipped a bad image ({len(files)} so far): {error}',
                logger='current',
                level=logging.WARNING,
            )
        if len(files) > self.limit:
            shown = '; '.join(list(files.values())[:_SHOWN])
            raise CorruptImageError(
                f'{error}; {len(files)} bad images are more than {self.option}='
                f'{self.limit}: repair the data or raise {self.option}. The first '
                f'are: {shown}' + ('; …' if len(files) > _SHOWN else '')
            )

    def _append(self, entry: dict[str, str]) -> None:
        line = json.dumps(entry, ensure_ascii=True) + '\n'
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        target = os.open(self.path, flags, 0o644)
        try:
            os.write(target, line.encode())
        finally:
            os.close(target)


def _temporary(owner: BadImages) -> str:
    """Name a file in the temporary folder that is removed with its owner."""
    name = f'msbreg-bad-images-{os.getpid()}-{uuid.uuid4().hex}.jsonl'
    path = os.path.join(tempfile.gettempdir(), name)
    weakref.finalize(owner, _remove, path, os.getpid())
    return path


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # not a worker that was forked with it
        Path(path).unlink(missing_ok=True)
