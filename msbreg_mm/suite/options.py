"""What a suite is asked to do, and the trainer and the cluster that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from msbreg_mm.suite.cluster import Cluster, local_cluster
from msbreg_mm.suite.runner import JobStatus, State
from msbreg_mm.suite.trainer import Trainer
from msbreg_mm.utils.errors import OptionError

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@dataclass(frozen=True)
class SuiteOptions:
    """What a suite is asked to do: the flags of ``msbreg transfer``.

    Attributes:
        checkpoints: ``name=path``, paths or ``random``.
        tasks: Names of shipped tasks or paths of configs.
        seeds: Seeds of the fine-tuning.
        work_dir: Folder of the suite.
        dry_run: List the jobs, look at what they need, and stop.
        skip_preflight: Start without a look at what the jobs need.
        jobs: Most jobs at once; ``None`` for as many as there are GPUs.
        gpus_per_job: GPUs of a job; 0 for the CPU.
        cluster: ``'local'`` or ``'slurm'``.
        slurm_options: ``key=value`` for submitit.
        amp: Mixed precision.
        auto_scale_lr: Scale the learning rate with the total batch size.
        epochs: Train every task so many epochs, schedules scaled.
        iters: The same in iterations.
        allow_partial: Accept checkpoints that do not fill the backbone.
        trust: Allow checkpoints that run code.
        cfg_options: ``key=value`` for every config.
        pretrain_dir: ``name=work_dir`` of the pretraining runs, for their curves.
        command: Program that trains; ``msbreg train`` by default.
    """

    checkpoints: Sequence[str]
    tasks: Sequence[str]
    seeds: Sequence[int] = (0, 1, 2)
    work_dir: str = 'work_dirs/transfer'
    dry_run: bool = False
    skip_preflight: bool = False
    jobs: int | None = None
    gpus_per_job: int = 1
    cluster: str = 'local'
    slurm_options: Sequence[str] = ()
    amp: bool = False
    auto_scale_lr: bool = False
    epochs: int | None = None
    iters: int | None = None
    allow_partial: bool = False
    trust: bool = False
    cfg_options: Sequence[str] = ()
    pretrain_dir: Sequence[str] = ()
    command: Sequence[str] = field(default=())


def make_trainer(options: SuiteOptions) -> Trainer:
    """Describe the trainer that the command line asks for."""
    settings = [
        flag
        for flag, given in (
            ('--amp', options.amp),
            ('--auto-scale-lr', options.auto_scale_lr),
        )
        if given
    ]
    settings += [
        f'--{unit}={length}'
        for unit, length in (('epochs', options.epochs), ('iters', options.iters))
        if length is not None
    ]
    flags = [
        flag
        for flag, given in (
            ('--allow-partial', options.allow_partial),
            ('--trust', options.trust),
        )
        if given
    ]
    return Trainer(
        command=tuple(options.command),
        settings=tuple(settings),
        flags=tuple(flags),
        cfg_options=tuple(options.cfg_options),
        gpus_per_job=options.gpus_per_job,
    )


def make_cluster(options: SuiteOptions) -> Cluster:
    """Describe the cluster that the command line asks for.

    Raises:
        OptionError: If a Slurm option is malformed.
    """
    if options.cluster == 'local':
        return local_cluster(options.gpus_per_job, options.jobs)
    parameters: dict[str, object] = {'gpus_per_node': max(options.gpus_per_job, 0)}
    for argument in options.slurm_options:
        key, separator, value = argument.partition('=')
        if not separator:
            raise OptionError(f'--slurm-options takes key=value, got {argument!r}')
        parameters[key] = int(value) if value.isdigit() else value
    return Cluster('slurm', parameters=parameters)


def _count(jobs: int) -> str:
    return f'{jobs} job{"s" * (jobs != 1)}'


def print_failures(statuses: Sequence[JobStatus], console: Console) -> int:
    """Name the failed jobs; return the exit code, 1 if there are any."""
    failed = [status for status in statuses if status.state is State.FAILED]
    if failed:
        console.print(Text(f'{_count(len(failed))} failed:', style='bold red'))
    for status in failed:
        # Its last log lines were printed when it failed.
        first = status.reason.partition('\n')[0]
        console.print(Text(f'- {status.job.name}: {first}'), soft_wrap=True)
    return 1 if failed else 0
