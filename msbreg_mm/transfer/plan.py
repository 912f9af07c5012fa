"""Tasks × checkpoints × seeds to jobs, each with its own folder and identity."""

import argparse
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import DictAction

from msbreg_mm.transfer.store import Identity
from msbreg_mm.transfer.tasks import Schedule, Task, read_schedule

RANDOM = 'random'
# Stems that name no training: the folder's name is put before them.
_GENERIC = re.compile(
    r'(epoch|iter)_\d+|latest|last|best.*|checkpoint.*|model|backbone'
)
# Keys that say where data lies or how a machine runs, not what is computed.
_NOT_HASHED = {
    'work_dir', 'data_root', 'resume', 'load_from', 'launcher', 'env_cfg',
    'num_workers', 'persistent_workers', 'pin_memory', 'sync_bn', 'visualizer',
    'vis_backends', 'transfer', 'custom_imports', 'outfile_prefix', 'log_level',
    'backend_args', 'prefetch_factor', 'randomness', 'val_interval', 'val_begin',
    'default_hooks', 'log_processor',
}  # fmt: skip


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint on the command line.

    Attributes:
        name: Name in tables and folders.
        path: File or folder; ``'random'`` for random initialisation.
        sha256: Hash of the weight files; ``''`` for random initialisation.
    """

    name: str
    path: str
    sha256: str = ''

    @property
    def folder(self) -> str:
        """Folder name: the name and the beginning of the hash."""
        return f'{self.name}-{self.sha256[:8]}' if self.sha256 else self.name


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        task: What is trained.
        checkpoint: From which backbone.
        identity: Config hash, checkpoint hash and seed.
        folder: Work directory of the run.
        protocol: The task's label, with the changes of ``--cfg-options``.
        evaluator: Type of the config's validation evaluator.
    """

    task: Task
    checkpoint: CheckpointRef
    identity: Identity
    folder: Path
    protocol: str
    evaluator: str = ''

    @property
    def name(self) -> str:
        """Short name for people."""
        seed = self.identity.seed
        return f'{self.task.name} · {self.checkpoint.name} · seed {seed}'


def parse_checkpoints(arguments: Sequence[str]) -> list[CheckpointRef]:
    """Read ``name=path``, ``path`` or ``random`` arguments and hash the files.

    Args:
        arguments: As given on the command line.

    Returns:
        The checkpoints, random initialisation first.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If two have one name, or a name cannot name a folder.
    """
    refs = [_parse_checkpoint(argument) for argument in arguments]
    names = [ref.name for ref in refs]
    if double := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f'two checkpoints are called {double[0]!r}; give them names: name=path'
        )
    return sorted(refs, key=lambda ref: ref.path != RANDOM)


def plan_jobs(
    tasks: Sequence[Task],
    checkpoints: Sequence[CheckpointRef],
    seeds: Sequence[int],
    work_dir: str | Path,
    cfg_options: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> list[Job]:
    """List the jobs of a suite.

    Seeds are the outer loop: after the first seed of everything there is a first
    table.

    Args:
        tasks: What to train.
        checkpoints: From which backbones.
        seeds: Non-negative, distinct.
        work_dir: Folder of the suite.
        cfg_options: ``key=value`` changes to every config. Those that change
            what is computed are written into the protocol label.
        settings: Flags of the trainer that change what it computes, e.g.
            ``--amp``; they become part of the config hash and the label too.

    Returns:
        The jobs, in the order in which they run.

    Raises:
        ValueError: If there is nothing to do, or seeds repeat or are negative.
    """
    if not tasks or not checkpoints or not seeds:
        raise ValueError('a suite needs at least one task, checkpoint and seed')
    if len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ValueError(f'seeds must be distinct and at least 0, got {list(seeds)}')
    options = parse_options(cfg_options)
    resolved = {task.name: _resolve(task, options, settings) for task in tasks}
    return [
        Job(
            task=replace(task, schedule=resolved[task.name].schedule),
            checkpoint=ref,
            identity=Identity(resolved[task.name].config_hash, ref.sha256, seed),
            folder=Path(work_dir) / task.name / ref.folder / f'seed{seed}',
            protocol=_label(task.protocol, options, settings),
            evaluator=resolved[task.name].evaluator,
        )
        for seed in seeds
        for task in tasks
        for ref in checkpoints
    ]


def parse_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` arguments as mmengine's tools do.

    Args:
        arguments: As given on the command line.

    Raises:
        ValueError: If one has no ``=``.
    """
    for argument in arguments:
        if '=' not in argument:
            raise ValueError(f'--cfg-options takes key=value, got {argument!r}')
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--options', nargs='+', action=DictAction)
    if not arguments:
        return {}
    return parser.parse_args(['--options', *arguments]).options


def hash_config(config: Mapping[str, Any], settings: Sequence[str] = ()) -> str:
    """Hash what a config computes: no paths, seeds or machine settings.

    Args:
        config: Resolved config.
        settings: Further text that belongs to it.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    text = json.dumps(
        [_computed(config), sorted(settings)], sort_keys=True, default=repr
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _parse_checkpoint(argument: str) -> CheckpointRef:
    name, separator, path = argument.partition('=')
    if not separator or Path(argument).exists():
        name, path = '', argument
    if path == RANDOM:
        return CheckpointRef(name or RANDOM, RANDOM)
    if not Path(path).expanduser().exists():
        raise FileNotFoundError(
            f"no checkpoint {path}; pass a file, a folder, name=path or '{RANDOM}'"
        )
    name = name or _default_name(Path(path))
    if not re.fullmatch(r'[\w.+@ ()-]+', name) or name.startswith('.'):
        raise ValueError(
            f'{name!r} cannot name a folder; use letters, digits, "_", "-", "." and '
            'spaces before the "="'
        )
    from msbreg_mm.checkpoints import sha256

    return CheckpointRef(name, path, sha256(Path(path).expanduser()))


def _default_name(path: Path) -> str:
    if path.is_dir():
        return path.resolve().name
    if _GENERIC.fullmatch(path.stem):
        return f'{path.resolve().parent.name}-{path.stem}'
    return path.stem


@dataclass(frozen=True)
class _Resolved:
    config_hash: str
    evaluator: str
    schedule: Schedule


def _resolve(task: Task, options: dict[str, Any], settings: Sequence[str]) -> _Resolved:
    """Read what the jobs of a task need of its config with all changes."""
    from msbreg_mm.engine.launch import LaunchOptions, resolve_config

    cfg = resolve_config(LaunchOptions(config=task.config, cfg_options=options))
    evaluator = cfg.get('val_evaluator')
    kind = evaluator.get('type') if isinstance(evaluator, Mapping) else ''
    digest = hash_config(cfg.to_dict(), settings)
    return _Resolved(digest, str(kind or ''), read_schedule(cfg))


def _computed(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            str(key): _computed(value)
            for key, value in node.items()
            if key not in _NOT_HASHED
        }
    if isinstance(node, (list, tuple)):
        return [_computed(value) for value in node]
    # The data set is named by its files, wherever they lie.
    if isinstance(node, str) and '/' in node:
        return node.rstrip('/').rsplit('/', 1)[-1]
    return node


def _label(protocol: str, options: dict[str, Any], settings: Sequence[str]) -> str:
    changes = [
        f'{key}={value}'
        for key, value in options.items()
        if key.rsplit('.', 1)[-1] not in _NOT_HASHED
    ]
    changes += [setting.removeprefix('--') for setting in settings]
    return f'{protocol} + {", ".join(changes)}' if changes else protocol
