"""How long a task trains, and schedules that go with it."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from msbreg_mm.utils.errors import OptionError


@dataclass(frozen=True)
class Schedule:
    """How long a task trains.

    Attributes:
        unit: ``'epoch'`` or ``'iter'``.
        total: Number of epochs or iterations.
        batch_size: Images per process and step.
        log_interval: Iterations between two lines of ``scalars.json``.
    """

    unit: str
    total: int
    batch_size: int
    log_interval: int = 10

    def __str__(self) -> str:
        unit = 'iteration' if self.unit == 'iter' else 'epoch'
        plural = 's' * (self.total != 1)
        return f'{self.total:,} {unit}{plural}, batch {self.batch_size}'


def read_schedule(cfg: Config) -> Schedule:
    """Read how long a config trains.

    Args:
        cfg: Config with ``train_cfg`` and ``train_dataloader``.

    Raises:
        ValueError: If it names neither epochs nor iterations.
    """
    loop, loader = cfg.train_cfg, cfg.train_dataloader
    unit = 'epoch' if loop.get('max_epochs') else 'iter'
    total = loop.get('max_epochs') or loop.get('max_iters')
    if not total:
        raise ValueError(
            f'{cfg.filename}: train_cfg has neither max_epochs nor max_iters'
        )
    batch = loader.get('batch_size') or (loader.get('batch_sampler') or {}).get(
        'batch_size', 1
    )
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    return Schedule(unit, int(total), int(batch), int(logger.get('interval', 10)))


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
