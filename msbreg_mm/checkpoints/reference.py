"""Checkpoints as the command line names them: a file, one per seed, or none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msbreg_mm.utils.errors import MissingInputError, OptionError

RANDOM = 'random'


# In a path it stands for the seed: one pretraining run per seed.
SEED = '{seed}'


# Stems that name no training: the folder's name is put before them.
_GENERIC = re.compile(
    r'(epoch|iter)_\d+|latest|last|best.*|checkpoint.*|model|backbone'
)


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint on the command line.

    Attributes:
        name: Name in tables and folders.
        path: File or folder; ``'random'`` for random initialisation. ``{seed}``
            in it stands for the seed of a job.
        sha256: Hash of the weight files; ``''`` for random initialisation, and
            as long as the path names one file per seed.
        per_seed: Whether each seed has a file of its own, from a pretraining
            run of its own.
    """

    name: str
    path: str
    sha256: str = ''
    per_seed: bool = False

    @property
    def folder(self) -> str:
        """Folder name: the name and the beginning of the hash."""
        return f'{self.name}-{self.sha256[:8]}' if self.sha256 else self.name

    def for_seed(self, seed: int) -> 'CheckpointRef':
        """Name and hash the file that the job of a seed starts from.

        Raises:
            MissingInputError: If this seed has none.
        """
        if SEED not in self.path:
            return self
        path = self.path.replace(SEED, str(seed))
        if not Path(path).expanduser().exists():
            raise MissingInputError(
                f'no checkpoint {path} for seed {seed} of {self.name}={self.path}; '
                'pretrain with that seed too, or choose other --seeds'
            )
        return replace(self, path=path, sha256=_sha256(path), per_seed=True)


def parse_checkpoints(arguments: Sequence[str]) -> list[CheckpointRef]:
    """Read ``name=path``, ``path`` or ``random`` arguments and hash the files.

    Args:
        arguments: As given on the command line. A path with ``{seed}`` names one
            file per seed, e.g. ``byol=runs/byol/seed{seed}/epoch_100.pth``.

    Returns:
        The checkpoints, random initialisation first.

    Raises:
        FileNotFoundError: If a file is not there.
        OptionError: If two have one name, or a name cannot name a folder.
    """
    refs = [_parse_checkpoint(argument) for argument in arguments]
    names = [ref.name for ref in refs]
    if double := [name for name in names if names.count(name) > 1]:
        raise OptionError(
            f'two checkpoints are called {double[0]!r}; give them names: name=path'
        )
    return sorted(refs, key=lambda ref: ref.path != RANDOM)


def _parse_checkpoint(argument: str) -> CheckpointRef:
    name, separator, path = argument.partition('=')
    if not separator or Path(argument).exists():
        name, path = '', argument
    if path == RANDOM:
        return CheckpointRef(name or RANDOM, RANDOM)
    if SEED not in path and not Path(path).expanduser().exists():
        raise MissingInputError(
            f"no checkpoint {path}; pass a file, a folder, name=path or '{RANDOM}'"
        )
    name = name or _default_name(Path(path))
    if not re.fullmatch(r'[\w.+@ ()-]+', name) or name.startswith('.'):
        raise OptionError(
            f'{name!r} cannot name a folder; use letters, digits, "_", "-", "." and '
            'spaces before the "="'
        )
    return CheckpointRef(name, path, '' if SEED in path else _sha256(path))


def _sha256(path: str) -> str:
    from msbreg_mm.checkpoints import sha256

    return sha256(Path(path).expanduser())


def _default_name(path: Path) -> str:
    if SEED in str(path):
        # What does not change with the seed: runs/byol/seed{seed}/x.pth is byol.
        fixed = [part for part in path.parts[:-1] if SEED not in part]
        return fixed[-1] if fixed else path.stem
    if path.is_dir():
        return path.resolve().name
    if _GENERIC.fullmatch(path.stem):
        return f'{path.resolve().parent.name}-{path.stem}'
    return path.stem
