"""From an ablation to jobs of the transfer suite: pretraining, then evaluation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config

from msbreg_mm.ablation.spec import Ablation, Variant
from msbreg_mm.checkpoints.reference import RANDOM, SEED, CheckpointRef
from msbreg_mm.runs.schedule import read_schedule
from msbreg_mm.suite.job import has_result
from msbreg_mm.suite.plan import Job, plan_jobs
from msbreg_mm.suite.recording import final_checkpoint
from msbreg_mm.suite.tasks import Task
from msbreg_mm.utils.errors import MissingInputError, OptionError
from msbreg_mm.utils.files import write_text

# Folder of the pretraining runs and their name as a task.
PRETRAINING = 'pretraining'
_CONFIGS = '.configs'


@dataclass(frozen=True)
class PretrainingRun:
    """One variant with one seed.

    Attributes:
        variant: What is pretrained.
        seed: Seed of all random numbers.
        job: Its job; ``None`` for random initialisation.
    """

    variant: Variant
    seed: int
    job: Job | None

    @property
    def done(self) -> bool:
        """Whether its weights are there."""
        return self.job is None or has_result(self.job)


def plan_pretraining(
    ablation: Ablation,
    work_dir: str | Path,
    cfg_options: Sequence[str] = (),
    settings: Sequence[str] = (),
    configs: str | Path | None = None,
    processes: int = 1,
) -> list[PretrainingRun]:
    """List the pretraining runs; seeds are the outer loop.

    Args:
        ablation: What to run.
        work_dir: Folder of the ablation.
        cfg_options: ``key=value`` changes to every pretraining config.
        settings: Flags of the trainer that change what it computes.
        configs: Folder for the config of each variant, named by its content; by
            default below ``work_dir``.
        processes: Processes (GPUs) that train a job.

    Returns:
        One run per variant and seed.

    Raises:
        ChangeError: If a change does not fit its base.
        ValueError: If a config is no pretraining config or cannot be written.
    """
    work_dir = Path(work_dir)
    configs = Path(configs or work_dir / _CONFIGS)
    by_variant = {}
    for variant in ablation.variants:
        jobs: list[Job] = []
        if variant.base is not None:
            task = _task(variant, configs)
            refs = [CheckpointRef(variant.name, RANDOM)]
            jobs = plan_jobs(
                [task], refs, ablation.seeds, work_dir, cfg_options, settings, processes
            )
        by_variant[variant.name] = {
            job.identity.seed: _placed(job, work_dir, variant) for job in jobs
        }
    return [
        PretrainingRun(variant, seed, by_variant[variant.name].get(seed))
        for seed in ablation.seeds
        for variant in ablation.variants
    ]


def plan_evaluation(
    tasks: Sequence[Task],
    runs: Sequence[PretrainingRun],
    work_dir: str | Path,
    cfg_options: Sequence[str] = (),
    foresee: bool = False,
    processes: int = 1,
) -> list[Job]:
    """List the evaluation jobs; those of a variant and seed start from its weights.

    Args:
        tasks: Evaluation tasks.
        runs: From :func:`plan_pretraining`.
        work_dir: Folder of the ablation.
        cfg_options: ``key=value`` changes to every task's config.
        foresee: List also the jobs of runs that are not finished, whose identity is
            not known yet; otherwise they are left out.
        processes: Processes (GPUs) that train a job.

    Returns:
        One job per task and run, seeds in the outer loop.

    Raises:
        FileNotFoundError: If the weights of a finished run are gone.
        ValueError: If a change does not fit a task.
    """
    jobs: list[Job] = []
    for seed in dict.fromkeys(run.seed for run in runs):
        ready = {
            run.variant.name: run
            for run in runs
            if run.seed == seed and (run.done or foresee)
        }
        if ready:
            refs = [_checkpoint(run) for run in ready.values()]
            planned = plan_jobs(
                tasks, refs, [seed], work_dir, cfg_options, processes=processes
            )
            jobs += [
                _placed(job, Path(work_dir), ready[job.checkpoint.name].variant)
                for job in planned
            ]
    return jobs


def _placed(job: Job, work_dir: Path, variant: Variant) -> Job:
    """Name the folder by the variant, without the hash of the weights.

    A run that is made anew then replaces the evaluation of the old one.
    """
    seed = f'seed{job.identity.seed}'
    return replace(job, folder=work_dir / job.task.name / variant.slug / seed)


def _task(variant: Variant, folder: Path) -> Task:
    cfg = variant.config()
    if 'train_cfg' not in cfg or 'train_dataloader' not in cfg:
        raise OptionError(
            f'{variant.base} has no train_cfg or no train_dataloader, so it is no '
            'pretraining config'
        )
    return Task(
        name=PRETRAINING,
        config=str(_write_config(cfg, variant, folder)),
        protocol=variant.base.stem if variant.base else '',
        metrics=(),
        description=variant.name,
        schedule=read_schedule(Config(cfg)),
        scored=False,
    )


def _write_config(cfg: dict[str, Any], variant: Variant, folder: Path) -> Path:
    """Write a config in full, as plain Python."""
    text = f'# {variant.name}: {variant.base}\n'
    for key, value in cfg.items():
        text += f'{key} = {pformat(value, width=88, sort_dicts=False)}\n'
    try:
        compile(text, variant.name, 'exec')
    except SyntaxError as error:
        raise OptionError(
            f'variant {variant.name!r} cannot be written as a config: line '
            f'{(error.text or "").strip()!r}; use plain values'
        ) from None
    # A suite that is running keeps the file it was planned with.
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = folder / f'{variant.slug}-{digest}.py'
    if not path.is_file():
        write_text(path, text)
    return path


def _checkpoint(run: PretrainingRun) -> CheckpointRef:
    if run.job is None:
        return CheckpointRef(run.variant.name, RANDOM)
    path = final_checkpoint(run.job)
    if not run.done:
        return CheckpointRef(run.variant.name, str(path))
    if not path.is_file():
        raise MissingInputError(
            f'{path} is gone; delete {path.parent} to pretrain it again'
        )
    # One file per seed: the suite's tables take them for one row.
    of_seeds = path.parent.with_name(f'seed{SEED}') / path.name
    return CheckpointRef(run.variant.name, str(of_seeds))
