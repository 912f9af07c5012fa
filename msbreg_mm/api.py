"""What the commands do, for programs: functions that give objects back.

The names of ``__all__`` are stable. ``from msbreg_mm import …`` gives the same ones;
importing them costs nothing, the first call imports torch and the upstream packages.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msbreg_mm.utils.errors import MissingInputError, MissingPackageError

if TYPE_CHECKING:
    import pandas as pd

    from msbreg_mm.reports.table import ResultTable
    from msbreg_mm.runs.record import Record

__all__ = [
    'Features',
    'Suite',
    'extract_features',
    'read_report',
    'read_suite',
    'run_suite',
]

# What the pages of a suite, an ablation and an analysis are made from.
_DATA = ('table.json', 'ablation.json', 'analysis.json')


@dataclass(frozen=True)
class Features:
    """Features of images.

    Attributes:
        values: (N, D) float32, as the network gives them, not normalised.
        labels: (N,) classes, or ``None`` if the data set has none.
        classes: Names of the classes, if they are known.
        indices: Rows of the data set.
        report: What the checkpoint gave to the network.
    """

    values: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    indices: list[int]
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """What a suite's folder holds.

    Attributes:
        folder: The folder.
        records: One per finished job: metrics, protocol, versions, time.
        tables: One per task and protocol, as they are printed.
        failures: Folder of a job → why it failed.
        damaged: Folder of a job → why its record is left out.
    """

    folder: Path
    records: list['Record']
    tables: list['ResultTable']
    failures: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """List the numbers of the tables, one row for each seed and metric."""
        return [
            {
                'task': table.task,
                'protocol': table.protocol,
                'checkpoint': row.name,
                'seed': run.seed,
                'metric': column.title,
                'value': run.values[column.key],
            }
            for table in self.tables
            for row in table.rows
            for run in row.runs
            for column in table.columns
            if column.key in run.values
        ]

    def to_pandas(self) -> 'pd.DataFrame':
        """Return :meth:`rows` as a data frame.

        Raises:
            MissingPackageError: If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingPackageError(
                'a data frame needs pandas: pip install pandas, or use rows()'
            ) from None
        names = ['task', 'protocol', 'checkpoint', 'seed', 'metric', 'value']
        return pd.DataFrame(self.rows(), columns=names)


def extract_features(
    config: str | Path,
    checkpoint: str | Path = 'random',
    *,
    split: str | None = None,
    layer: str = 'backbone',
    max_images: int = 1000,
    batch_size: int = 64,
    device: str | None = None,
    seed: int = 0,
    allow_partial: bool = False,
    trust: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
) -> Features:
    """Extract features of a config's images with the backbone of a checkpoint.

    Args:
        config: Config with the backbone and the images; ``msbreg_mm::…`` works.
        checkpoint: File or folder of any supported format, or ``'random'``.
        split: ``'val'``, ``'train'`` or ``'test'``; by default the first there is.
        layer: ``'backbone'`` for pooled features, ``'neck'`` for the projector's.
        max_images: Most images, evenly spaced over the set.
        batch_size: Images at once.
        device: ``'cpu'`` or ``'cuda'``; by default a GPU if there is one.
        seed: Seed of random weights.
        allow_partial: Accept a checkpoint that does not fill the backbone.
        trust: Allow a checkpoint that runs code.
        cfg_options: Dotted keys and values merged into the config.

    Returns:
        The features with their labels.

    Raises:
        InputError: If config, data or checkpoint are missing or do not fit.
    """
    import torch
    from mmengine.registry import init_default_scope

    from msbreg_mm.datasets.sample import find_split, sample_images
    from msbreg_mm.evaluation.embedding import build_embedder
    from msbreg_mm.runs.config import LaunchOptions, resolve_config
    from msbreg_mm.utils.upstream import import_scope

    cfg = resolve_config(LaunchOptions(str(config), cfg_options=cfg_options or {}))
    scope = cfg.get('default_scope') or 'mmpretrain'
    import_scope(scope)
    init_default_scope(scope)
    sample = sample_images(cfg, find_split(cfg, split), max_images, views=0)
    network, report = build_embedder(
        cfg,
        str(checkpoint),
        layer,
        seed=seed,
        allow_partial=allow_partial,
        trust=trust,
    )
    network.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    with torch.no_grad():
        parts = [network(part).cpu() for part in sample.images.split(batch_size)]
    return Features(
        torch.cat(parts).float().numpy(),
        sample.labels,
        sample.classes,
        sample.indices,
        report,
    )


def run_suite(
    checkpoints: Sequence[str | Path],
    tasks: Sequence[str | Path],
    seeds: Sequence[int] = (0, 1, 2),
    work_dir: str | Path = 'work_dirs/transfer',
    *,
    quiet: bool = False,
    **options: Any,
) -> Suite:
    """Fine-tune checkpoints on tasks over seeds, as ``msbreg transfer`` does.

    A second call goes on where the first stopped; finished jobs are read.

    Args:
        checkpoints: ``name=path``, paths or ``'random'``.
        tasks: Names of shipped tasks or paths of configs.
        seeds: Seeds of the fine-tuning.
        work_dir: Folder of the suite.
        quiet: Print nothing.
        options: Further fields of
            :class:`~msbreg_mm.suite.options.SuiteOptions`, e.g. ``gpus_per_job``.

    Returns:
        Records, tables and why jobs failed.

    Raises:
        InputError: If checkpoints, tasks, seeds or options cannot be used.
        KeyboardInterrupt: After Ctrl-C; all trainers have ended.
    """
    from rich.console import Console

    from msbreg_mm.suite.options import INTERRUPTED, SuiteOptions
    from msbreg_mm.transfer.run import run

    asked = SuiteOptions(
        checkpoints=[str(name) for name in checkpoints],
        tasks=[str(task) for task in tasks],
        seeds=list(seeds),
        work_dir=str(work_dir),
        **options,
    )
    with open(os.devnull, 'w', encoding='utf-8') as nowhere:
        if run(asked, Console(file=nowhere if quiet else None)) == INTERRUPTED:
            raise KeyboardInterrupt
    return read_suite(work_dir)


def read_suite(work_dir: str | Path) -> Suite:
    """Read what a suite has finished; nothing is run or written.

    Args:
        work_dir: ``work_dir`` of :func:`run_suite`, ``--work-dir`` of
            ``msbreg transfer``.

    Returns:
        Records and tables; unreadable records are named, not raised.

    Raises:
        MissingInputError: If there is no such folder.
    """
    from msbreg_mm.reports.build import build_tables
    from msbreg_mm.runs.record import read_damaged, read_failures, read_records

    stored = read_records(work_dir)
    return Suite(
        Path(work_dir),
        [item.record for item in stored],
        build_tables(stored),
        read_failures(Path(work_dir)),
        read_damaged(work_dir),
    )


def read_report(folder: str | Path) -> dict[str, Any]:
    """Read the numbers that a report's page is made from.

    Args:
        folder: Work directory of a suite or an ablation, or output of an analysis;
            or the JSON file itself.

    Returns:
        The content of ``table.json``, ``ablation.json`` or ``analysis.json``.

    Raises:
        MissingInputError: If there is none of them.
    """
    folder = Path(folder)
    files = [folder] if folder.is_file() else [folder / name for name in _DATA]
    for file in files:
        if file.is_file():
            return json.loads(file.read_text(encoding='utf-8'))
    raise MissingInputError(
        f'{folder} has none of {", ".join(_DATA)}; write them with msbreg report, '
        'ablate or analyze'
    )
