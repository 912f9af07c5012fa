"""Tasks × checkpoints × seeds to jobs, each with its own folder and identity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msbreg_mm.checkpoints.reference import RANDOM, CheckpointRef
from msbreg_mm.runs.fingerprint import data_fingerprint
from msbreg_mm.runs.record import Identity
from msbreg_mm.runs.schedule import Schedule, read_schedule
from msbreg_mm.runs.settings import hash_config, label_protocol, parse_options
from msbreg_mm.suite.seeds import draws_nothing
from msbreg_mm.suite.tasks import Task
from msbreg_mm.utils.errors import OptionError

if TYPE_CHECKING:
    from msbreg_mm.runs.config import LaunchOptions


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        task: What is trained.
        checkpoint: From which backbone, with the file of this seed.
        identity: Config hash, checkpoint hash and seed.
        folder: Work directory of the run.
        protocol: The task's label, with the changes of ``--cfg-options``.
        evaluator: Type of the config's validation evaluator; of several that of the
            first, after ``'0.'``.
        data: Fingerprint of what it is trained and scored on; ``''`` if the data
            are not here.
        draws: Whether the result depends on the seed; if not, one seed is all.
    """

    task: Task
    checkpoint: CheckpointRef
    identity: Identity
    folder: Path
    protocol: str
    evaluator: str = ''
    data: str = ''
    draws: bool = True

    @property
    def name(self) -> str:
        """Short name for people."""
        seed = self.identity.seed
        return f'{self.task.name} · {self.checkpoint.name} · seed {seed}'


def plan_jobs(
    tasks: Sequence[Task],
    checkpoints: Sequence[CheckpointRef],
    seeds: Sequence[int],
    work_dir: str | Path,
    cfg_options: Sequence[str] = (),
    settings: Sequence[str] = (),
    processes: int = 1,
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
        processes: Processes (GPUs) that train a job. The total batch and the data
            are part of the config hash, too.

    Returns:
        The jobs, in the order in which they run.

    Raises:
        OptionError: If there is nothing to do, or seeds repeat or are negative.
    """
    if not tasks or not checkpoints or not seeds:
        raise OptionError('a suite needs at least one task, checkpoint and seed')
    if len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise OptionError(f'seeds must be distinct and at least 0, got {list(seeds)}')
    options = parse_options(cfg_options)
    resolved = {
        task.name: _resolve(task, options, settings, processes) for task in tasks
    }
    files = {seed: [ref.for_seed(seed) for ref in checkpoints] for seed in seeds}
    return [
        Job(
            task=replace(task, schedule=resolved[task.name].schedule),
            checkpoint=ref,
            identity=Identity(resolved[task.name].config_hash, ref.sha256, seed),
            folder=Path(work_dir) / task.name / ref.folder / f'seed{seed}',
            protocol=label_protocol(task.protocol, options, settings),
            evaluator=resolved[task.name].evaluator,
            data=resolved[task.name].data,
            draws=_draws(resolved[task.name], ref),
        )
        for seed in seeds
        for task in tasks
        for ref in files[seed]
        # What does not depend on the seed runs once.
        if seed == seeds[0] or _draws(resolved[task.name], ref)
    ]


def _draws(resolved: '_Resolved', ref: CheckpointRef) -> bool:
    """Whether the seed changes anything: in the task, or in the weights."""
    return resolved.draws or ref.path == RANDOM or ref.per_seed


@dataclass(frozen=True)
class _Resolved:
    config_hash: str
    evaluator: str
    schedule: Schedule
    data: str
    draws: bool


def launch_options(
    config: str, options: Mapping[str, Any], settings: Sequence[str]
) -> 'LaunchOptions':
    """Say how a job's config is resolved: as its trainer does it.

    Args:
        config: Config file.
        options: Changes to it.
        settings: Flags of the trainer that change what it computes.
    """
    from msbreg_mm.runs.config import LaunchOptions

    given = dict(setting.partition('=')[::2] for setting in settings)
    lengths: dict[str, Any] = {
        unit: int(given[f'--{unit}'])
        for unit in ('epochs', 'iters')
        if f'--{unit}' in given
    }
    return LaunchOptions(
        config=config,
        cfg_options=options,
        amp='--amp' in given,
        auto_scale_lr='--auto-scale-lr' in given,
        **lengths,
    )


def _resolve(
    task: Task, options: dict[str, Any], settings: Sequence[str], processes: int
) -> _Resolved:
    """Read what the jobs of a task need of its config with all changes."""
    from msbreg_mm.runs.config import resolve_config

    cfg = resolve_config(launch_options(task.config, options, settings))
    schedule = read_schedule(cfg, processes)
    if task.scored:  # an ablation of pretraining may vary the batch alone
        schedule.check_batch(task.config)
    evaluator = cfg.get('val_evaluator')
    kind = evaluator.get('type') if isinstance(evaluator, Mapping) else ''
    if isinstance(evaluator, (list, tuple)) and evaluator:
        kind = f'0.{evaluator[0].get("type")}'
    data = data_fingerprint(cfg)
    identity = [schedule.identity(), f'data {data}' if data else '', *settings]
    content = cfg.to_dict()
    # How the total batch is cut up stands in the identity, where it matters.
    content['train_dataloader'].pop('batch_size', None)
    (content.get('optim_wrapper') or {}).pop('accumulative_counts', None)
    digest = hash_config(content, [text for text in identity if text])
    draws = not draws_nothing(cfg)
    return _Resolved(digest, str(kind or ''), schedule, data, draws)
