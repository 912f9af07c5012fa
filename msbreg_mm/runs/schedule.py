"""How long a task trains, and schedules that go with it."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, fields
from typing import Any

from mmengine.config import Config

from msbreg_mm.utils.errors import OptionError


@dataclass(frozen=True)
class Schedule:
    """How long a task trains, and on what batches.

    Attributes:
        unit: ``'epoch'`` or ``'iter'``.
        total: Number of epochs or iterations.
        batch_size: Images per process and step.
        log_interval: Iterations between two lines of ``scalars.json``.
        processes: Number of processes, i.e. of GPUs.
        accumulation: Steps whose gradients are summed for one update.
        synced: Whether batch normalisation sees the images of all processes.
        precision: ``'float32'``, ``'float16'`` or ``'bfloat16'``.
        base_batch_size: Total batch that the learning rate is for; ``None`` if the
            config does not say.
        scaled: Whether the learning rate is scaled with the total batch.
        learns: Whether batches matter at all; they do not to probes.
    """

    unit: str
    total: int
    batch_size: int
    log_interval: int = 10
    processes: int = 1
    accumulation: int = 1
    synced: bool = False
    precision: str = 'float32'
    base_batch_size: int | None = None
    scaled: bool = False
    learns: bool = True

    def __str__(self) -> str:
        unit = 'iteration' if self.unit == 'iter' else 'epoch'
        plural = 's' * (self.total != 1)
        return f'{self.total:,} {unit}{plural}, {self.describe_batch()}'

    @property
    def total_batch(self) -> int:
        """Images of one update of the weights."""
        return self.batch_size * self.processes * self.accumulation

    def describe_batch(self) -> str:
        """``batch 16``, or ``batch 16 (8 processes × 2, SyncBN)``."""
        parts = [f'{self.processes} processes'] if self.processes > 1 else []
        parts += [str(self.batch_size)] if self.total_batch > self.batch_size else []
        parts += [f'{self.accumulation} steps'] if self.accumulation > 1 else []
        text = ' × '.join(parts)
        if self.processes > 1:
            text += ', SyncBN' if self.synced else ', BN per process'
        if self.precision != 'float32':
            text += f'{", " if text else ""}{self.precision}'
        return f'batch {self.total_batch}' + (f' ({text})' if text else '')

    def identity(self) -> str:
        """Return what of it decides whether two runs are the same run.

        The total batch; how it is cut up only where normalisation sees the cuts.
        """
        if not self.learns:
            return ''
        cut = self.total_batch > self.batch_size and not self.synced
        shape = f' of {self.batch_size}' if cut else ''
        synced = ', SyncBN' if self.processes > 1 and self.synced else ''
        return f'batch {self.total_batch}{shape}{synced}'

    def check_batch(self, where: str) -> None:
        """Refuse a total batch for which the learning rate is not made.

        Args:
            where: Config, for the message.

        Raises:
            OptionError: If the config says for which total batch its learning rate
                is, the batch is another, and the rate is not scaled with it.
        """
        base, total = self.base_batch_size, self.total_batch
        if not self.learns or self.scaled or base is None or base == total:
            return
        made = f'{self.processes} × {self.batch_size}'
        made += f' × {self.accumulation}' if self.accumulation > 1 else ''
        fits = base / (self.batch_size * self.accumulation)
        gpus = (
            f'{int(fits)} GPUs a job (--gpus-per-job {int(fits)})'
            if fits.is_integer()
            else 'another number of GPUs'
        )
        raise OptionError(
            f'{where}: the learning rate is for a total batch of {base} images, this '
            f'run has {total} ({made}). Scale the rate with it: --auto-scale-lr. Or '
            f'make the batch {base}: {gpus}, or train_dataloader.batch_size or '
            'optim_wrapper.accumulative_counts in --cfg-options'
        )


def describe(schedule: Mapping[str, Any]) -> str:
    """Say what a record's schedule was; ``''`` if it is not all there."""
    known = {field.name for field in fields(Schedule)}
    try:
        return str(Schedule(**{k: v for k, v in schedule.items() if k in known}))
    except (TypeError, ValueError):
        return ''


def read_schedule(cfg: Config, processes: int = 1) -> Schedule:
    """Read how long a config trains and on what batches.

    Args:
        cfg: Config with ``train_cfg`` and ``train_dataloader``.
        processes: Number of processes that will train it.

    Raises:
        OptionError: If it names neither epochs nor iterations.
    """
    loop, loader = cfg.train_cfg, cfg.train_dataloader
    unit = 'epoch' if loop.get('max_epochs') else 'iter'
    total = loop.get('max_epochs') or loop.get('max_iters')
    if not total:
        raise OptionError(
            f'{cfg.filename}: train_cfg has neither max_epochs nor max_iters'
        )
    batch = loader.get('batch_size') or (loader.get('batch_sampler') or {}).get(
        'batch_size', 1
    )
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    scale = cfg.get('auto_scale_lr') or {}
    wrapper = cfg.get('optim_wrapper') or {}
    return Schedule(
        unit,
        int(total),
        int(batch),
        log_interval=int(logger.get('interval', 10)),
        processes=max(processes, 1),
        accumulation=int(wrapper.get('accumulative_counts') or 1),
        synced=bool(cfg.get('sync_bn')) or "'SyncBN'" in repr(cfg.get('model')),
        precision=_precision(wrapper),
        base_batch_size=scale.get('base_batch_size'),
        scaled=bool(scale.get('enable')),
        learns=not str(loop.get('type')).endswith('ProbeLoop'),
    )


def _precision(wrapper: Mapping[str, Any]) -> str:
    kind = str(wrapper.get('type', ''))
    if 'Amp' not in kind:
        return 'float32'
    default = 'bfloat16' if 'CPU' in kind else 'float16'
    return str(wrapper.get('dtype') or default)


def scale_schedule(
    cfg: MutableMapping[str, Any], epochs: int | None = None, iters: int | None = None
) -> None:
    """Train for another length and take the schedules along, in place.

    Schedulers that count what the training counts end where it ends; milestones
    move in proportion; a warm-up, which ends where another begins, keeps its
    length.

    Args:
        cfg: Config with ``train_cfg``.
        epochs: New ``train_cfg.max_epochs``, at least 1.
        iters: New ``train_cfg.max_iters``, at least 1.

    Raises:
        OptionError: If the training counts the other unit, or a scheduler begins
            after the new end.
    """
    unit, new = ('epochs', epochs) if iters is None else ('iters', iters)
    loop = cfg.get('train_cfg') or {}
    old = loop.get(f'max_{unit}')
    if not old:
        other = 'iters' if unit == 'epochs' else 'epochs'
        raise OptionError(
            f'{unit!r} needs train_cfg.max_{unit}, but this config counts '
            f'{"iterations" if unit == "epochs" else "epochs"}: use {other!r}'
        )
    if not isinstance(new, int) or isinstance(new, bool) or new < 1:
        raise OptionError(f'{unit} must be a whole number from 1, got {new!r}')
    for index, scheduler in enumerate(_schedulers(cfg)):
        if scheduler.get('by_epoch', True) == (unit == 'epochs'):
            _scale(scheduler, index, old, new)
    loop[f'max_{unit}'] = new


def _schedulers(cfg: Mapping[str, Any]) -> list[Any]:
    found: Any = cfg.get('param_scheduler') or []
    return [found] if isinstance(found, Mapping) else list(found)


def _scale(scheduler: MutableMapping[str, Any], index: int, old: int, new: int) -> None:
    begin = scheduler.get('begin', 0)
    if begin >= new:
        raise OptionError(
            f'a training of {new} ends before a scheduler begins (param_scheduler.'
            f'{index}.begin={begin}); shorten the warm-up before it and this begin too'
        )
    if scheduler.get('end') == old:
        scheduler['end'] = new
    if scheduler.get('T_max') == old - begin:
        scheduler['T_max'] = new - begin
    if scheduler.get('total_iters') == old - begin:
        scheduler['total_iters'] = new - begin
    if milestones := scheduler.get('milestones'):
        scheduler['milestones'] = [
            max(begin + 1, round(at * new / old)) for at in milestones
        ]


def schedule_gaps(cfg: Mapping[str, Any]) -> list[str]:
    """Name schedulers that do not end with the training.

    Args:
        cfg: Config with ``train_cfg``; schedulers that count the other unit are
            left out, since an epoch's length is not known here.

    Returns:
        One sentence per scheduler; none where all fit.
    """
    loop = cfg.get('train_cfg') or {}
    unit = 'epochs' if loop.get('max_epochs') else 'iters'
    total = loop.get(f'max_{unit}')
    own = [
        (index, scheduler)
        for index, scheduler in enumerate(_schedulers(cfg))
        if scheduler.get('by_epoch', True) == (unit == 'epochs')
    ]
    if not total or not own:
        return []
    word = 'epoch' if unit == 'epochs' else 'iteration'
    ends = [end for _, s in own if (end := s.get('end')) is not None]
    last = max(ends, default=None)
    found = []
    for index, scheduler in own:
        name = f'param_scheduler.{index} ({scheduler.get("type")})'
        end = scheduler.get('end')
        late = [at for at in scheduler.get('milestones') or () if at >= total]
        if end is not None and end > total:
            found.append(f'{name} ends at {word} {end}, the training at {total}')
        elif late:
            found.append(
                f'{name} steps at {word} {late[0]}, the training ends at {total}'
            )
        elif end is not None and end == last < total and len(ends) == len(own):
            found.append(
                f'{name} ends at {word} {end}, the training at {total}; from there '
                'on nothing changes'
            )
    return [f'{text}. --{unit} {total} scales all schedules' for text in found]
