"""Downstream tasks: what a transfer config says about itself.

A transfer config carries its own description, so that a new data set needs one
config file and nothing else::

    transfer = dict(
        protocol='COCO Mask R-CNN R50-FPN 1x, recipe (a)',
        description='SyncBN in backbone and FPN, standard heads, 90k iterations',
        metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
        gpu_seconds=(2.1, 'V100, detectron2 model zoo'),  # optional, for --dry-run
    )

``gpu_seconds`` are device seconds of one iteration, or of one epoch where the
schedule counts epochs; being a rate, it holds for longer schedules that inherit it.

The protocol label must stand in the config file itself: a label inherited from a
``_base_`` would put rows of different data or schedules into one table.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from msbreg_mm.runs.columns import Column
from msbreg_mm.runs.known_keys import nearest
from msbreg_mm.runs.schedule import Schedule, read_schedule
from msbreg_mm.utils.configs import CONFIG_ROOT, find_config
from msbreg_mm.utils.errors import MissingInputError, OptionError

# Folders that are searched for tasks given by name.
TASK_FOLDERS = (CONFIG_ROOT / 'transfer', CONFIG_ROOT / 'demo')

# What ``transfer = dict(…)`` may hold.
_KEYS = {'protocol', 'description', 'metrics', 'gpu_seconds'}
# Shown where a config names no metrics; all are fractions or percent upstream.
KNOWN_METRICS = (
    Column('coco/bbox_mAP', 'box AP'),
    Column('coco/segm_mAP', 'mask AP'),
    Column('pascal_voc/mAP', 'AP'),
    Column('pascal_voc/AP50', 'AP50'),
    Column('pascal_voc/AP75', 'AP75'),
    Column('mIoU', 'mIoU', 1.0),
    Column('accuracy/top1', 'top-1', 1.0),
)


@dataclass(frozen=True)
class Task:
    """A downstream task.

    Attributes:
        name: Stem of the config file.
        config: Path of the config file.
        protocol: Label; only rows with equal labels are compared.
        metrics: Columns; empty for those of :data:`KNOWN_METRICS` that appear.
        description: One line.
        schedule: How long it trains.
        gpu_seconds: Device seconds of one step of the schedule and where the figure
            comes from; ``None`` if the config states none.
        scored: Whether the run ends with a validation. A pretraining does not:
            its record holds the last scalars of its training.
    """

    name: str
    config: str
    protocol: str
    metrics: tuple[Column, ...]
    description: str
    schedule: Schedule
    gpu_seconds: tuple[float, str] | None = None
    scored: bool = True


def load_task(path: str | Path) -> Task:
    """Read a task from its config file; nothing is built.

    Args:
        path: Config file, or a shipped one as ``msbreg_mm::folder/file``.

    Returns:
        The task. Without a ``transfer`` protocol of its own its label is the
        file's stem.

    Raises:
        MissingInputError: If there is no such file.
        OptionError: If the config trains nothing or ``transfer`` is malformed.
    """
    path = find_config(path)
    if not path.is_file():
        raise MissingInputError(f'no config file {path}')
    cfg = Config.fromfile(path, import_custom_modules=False)
    if 'train_cfg' not in cfg or 'train_dataloader' not in cfg:
        raise OptionError(
            f'{path} has no train_cfg or no train_dataloader, so it is no task to '
            'fine-tune on'
        )
    if not cfg.get('val_dataloader') or not cfg.get('val_evaluator'):
        raise OptionError(
            f'{path} has no val_dataloader or no val_evaluator, so that nothing would '
            'be scored; is it a pretraining config?'
        )
    about = cfg.get('transfer') or {}
    if unknown := sorted(set(about) - _KEYS):
        raise OptionError(
            f'{path}: transfer has no {unknown[0]!r}; '
            + nearest(unknown[0], sorted(_KEYS))
        )
    return Task(
        name=path.stem,
        config=str(path),
        protocol=_own_protocol(path) or path.stem,
        metrics=tuple(_metric(item, path) for item in about.get('metrics', ())),
        description=about.get('description', ''),
        schedule=read_schedule(cfg),
        gpu_seconds=_gpu_seconds(about.get('gpu_seconds'), path),
    )


def find_tasks(folders: Iterable[Path] = TASK_FOLDERS) -> list[Path]:
    """Find the shipped tasks: configs that describe themselves.

    Args:
        folders: Where to look, with subfolders.

    Returns:
        Config files, sorted by name; those with a ``transfer`` of their own.
    """
    files = [file for folder in folders for file in Path(folder).rglob('*.py')]
    return sorted(
        (file for file in files if _own_transfer(file) is not None),
        key=lambda file: (file.stem, str(file)),
    )


def resolve_tasks(
    names: Sequence[str], folders: Iterable[Path] = TASK_FOLDERS
) -> list[Task]:
    """Turn task names and config paths into tasks.

    Args:
        names: Stems of shipped configs, ``msbreg_mm::`` names, or paths of any config.
        folders: Where names are looked up.

    Returns:
        One task per name, in order.

    Raises:
        OptionError: If a name is unknown, or two tasks have one name.
    """
    known = {file.stem: file for folder in folders for file in folder.rglob('*.py')}
    tasks = []
    for name in names:
        is_file = name.endswith('.py') or '::' in name
        if not is_file and name not in known:
            shipped = ', '.join(file.stem for file in find_tasks(folders)) or 'none'
            raise OptionError(
                f'no task {name!r}; give the path of a config (*.py) or one of: '
                f'{shipped}'
            )
        tasks.append(load_task(name if is_file else known[name]))
    stems = [task.name for task in tasks]
    if double := {stem for stem in stems if stems.count(stem) > 1}:
        raise OptionError(
            f'two tasks are called {sorted(double)[0]!r}; work directories are named '
            'by the config file, so rename one'
        )
    return tasks


def _own_transfer(path: Path) -> ast.expr | None:
    """Find the expression assigned to ``transfer`` in the file, not its bases."""
    text = path.read_text(encoding='utf-8')
    if 'transfer' not in text:
        return None
    for node in ast.parse(text, filename=str(path)).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == 'transfer'
            for target in node.targets
        ):
            return node.value
    return None


def read_about(path: Path) -> dict[str, Any]:
    """Read what the file itself says in ``transfer``, without its bases.

    Args:
        path: Config file; it is not run.

    Returns:
        The entries that are plain values; computed ones are left out.
    """
    node = _own_transfer(path)
    pairs: list[tuple[Any, ast.expr]] = []
    if isinstance(node, ast.Call):
        pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
    elif isinstance(node, ast.Dict):
        pairs = [
            (key.value if isinstance(key, ast.Constant) else None, value)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
    found = {}
    for key, value in pairs:
        try:
            found[key] = ast.literal_eval(value)
        except ValueError:
            if key == 'protocol':
                found[key] = None
    return found


def _own_protocol(path: Path) -> str | None:
    """Read the protocol label that stands in the file itself."""
    about = read_about(path)
    if 'protocol' not in about:
        return None
    label = about['protocol']
    if not isinstance(label, str) or not label.strip():
        raise OptionError(
            f'{path}: transfer.protocol must be a plain, non-empty string'
        )
    return label.strip()


def _metric(item: Any, path: Path) -> Column:
    try:
        return Column.read(item)
    except (TypeError, ValueError) as error:
        raise OptionError(f'{path}: transfer.metrics: {error}') from None


def _gpu_seconds(given: Any, path: Path) -> tuple[float, str] | None:
    if given is None:
        return None
    try:
        seconds, source = given
        return float(seconds), str(source)
    except (TypeError, ValueError):
        raise OptionError(
            f'{path}: transfer.gpu_seconds holds {given!r}; write (seconds, source), '
            "e.g. (2.1, 'V100, detectron2 model zoo')"
        ) from None
