"""What is known of a suite before its first job: checkpoints, data, metrics, disk."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbreg_mm.suite.job import has_result
from msbreg_mm.suite.plan import Job
from msbreg_mm.suite.trainer import Trainer, child_environment
from msbreg_mm.utils.errors import InputError


class PreflightError(InputError):
    """Jobs of a suite would fail; the message lists them and why."""


@dataclass(frozen=True)
class Problem:
    """Why jobs would fail.

    Attributes:
        task: Name of the task.
        checkpoint: Name of the checkpoint; ``''`` for all of them.
        reason: What is wrong, and what to do.
    """

    task: str
    checkpoint: str
    reason: str

    def __str__(self) -> str:
        cell = f'{self.task} · {self.checkpoint}' if self.checkpoint else self.task
        return f'{cell}: {self.reason}'


@dataclass(frozen=True)
class Preflight:
    """What a suite's jobs would meet.

    Attributes:
        problems: Cells that would fail.
        bytes_needed: Disk space that the missing jobs leave behind, about.
    """

    problems: list[Problem]
    bytes_needed: int


def preflight(
    jobs: Sequence[Job],
    trainer: Trainer,
    work_dir: str | Path,
    watch: Callable[[str], None] = lambda text: None,
) -> Preflight:
    """Look at everything that jobs without a result need, before the first starts.

    Every checkpoint is opened once and compared with the backbone of every task;
    data, classes and metrics of every task are checked and one batch is built.

    Args:
        jobs: All jobs of a suite.
        trainer: Their trainer.
        work_dir: Folder of the suite.
        watch: Called with what is looked at.

    Returns:
        Problems, none if all is well, and the disk space that is needed.
    """
    missing = [job for job in jobs if not has_result(job)]
    if not missing:
        return Preflight([], 0)
    found, sizes = _in_child(_request(missing, trainer), watch)
    counts = [job.task.name for job in missing]
    needed = sum(size * counts.count(task) for task, size in sizes.items())
    free = shutil.disk_usage(_existing(Path(work_dir))).free
    if needed > free:
        found.append(
            Problem(
                'the suite',
                '',
                f'{len(missing)} jobs leave about {needed / 1e9:.1f} GB in {work_dir}, '
                f'{free / 1e9:.1f} GB are free; free some space or choose another '
                '--work-dir',
            )
        )
    return Preflight(found, needed)


def _request(jobs: Sequence[Job], trainer: Trainer) -> dict[str, Any]:
    tasks: dict[str, dict[str, Any]] = {}
    for job in jobs:
        task = tasks.setdefault(
            job.task.name,
            {
                'config': job.task.config,
                'metrics': [metric.key for metric in job.task.metrics],
                'checkpoints': [],
            },
        )
        cell = [job.checkpoint.name, job.checkpoint.path]
        if cell not in task['checkpoints']:
            task['checkpoints'].append(cell)
    return {
        'options': list(trainer.cfg_options),
        'settings': list(trainer.settings),
        'flags': list(trainer.flags),
        'tasks': tasks,
    }


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _in_child(
    request: dict[str, Any], watch: Callable[[str], None]
) -> tuple[list[Problem], dict[str, int]]:
    # It imports what trains, and a file that takes an interpreter down must not
    # take the suite with it.
    command = [sys.executable, '-m', 'msbreg_mm.suite.inspection']
    problems: list[Problem] = []
    sizes: dict[str, int] = {}
    at = 'preflight'
    with tempfile.TemporaryFile('w+') as said, tempfile.TemporaryFile('w+') as asked:
        json.dump(request, asked)
        asked.seek(0)
        with subprocess.Popen(
            command,
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=child_environment(()),
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                kind, *content = json.loads(line)
                if kind == 'problem':
                    problems.append(Problem(*content))
                elif kind == 'size':
                    sizes[content[0]] = content[1]
                else:
                    at = content[0]
                    watch(at)
        if code := process.returncode:
            said.seek(0)
            lines = said.read().strip().splitlines() or ['it said nothing']
            ended = f'signal {-code}' if code < 0 else f'code {code}'
            reason = f'looking at it ended with {ended}: {lines[-1]}'
            problems.append(Problem(at, '', reason))
    return problems, sizes
