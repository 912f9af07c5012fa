"""What a training is planned to be, and what a resumed one changes of it."""

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mmengine.runner import Runner

# What changes in a scheduler while it runs.
_RUNNING = {'last_step', '_global_step', '_last_value', 'verbose'}
# What depends on metrics of the past, so that it cannot be computed again.
_PLATEAU = {'best', 'num_bad_epochs', 'cooldown_counter'}


@dataclass(frozen=True)
class Plan:
    """The quantities that say where in its training an iteration is.

    Attributes:
        unit: ``'epoch'`` or ``'iter'``.
        total: Epochs or iterations.
        epoch_iters: Iterations of an epoch, or of a pass over the data.
        batch_size: Images per process and iteration.
        processes: Number of processes.
        images: Images of the data set.
        accumulation: Iterations per step of the optimizer.
    """

    unit: str
    total: int
    epoch_iters: int
    batch_size: int
    processes: int
    images: int
    accumulation: int

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> 'Plan':
        """Read what a checkpoint keeps."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})

    def changes_from(self, old: 'Plan') -> list[str]:
        """List what differs from an older plan, as ``'name old -> new'``."""
        pairs = zip(asdict(old).items(), asdict(self).values(), strict=True)
        return [f'{name} {was} -> {now}' for (name, was), now in pairs if was != now]


@dataclass(frozen=True)
class Position:
    """A place in a training.

    Attributes:
        epoch: Finished epochs.
        iteration: Finished iterations, over all epochs.
        images: Images read in the current epoch or pass, by all processes.
    """

    epoch: int
    iteration: int
    images: int


def translate(position: Position, old: Plan, new: Plan) -> Position:
    """Find the same place in another plan.

    Epochs stay; inside an epoch the share that is done stays, rounded down to whole
    iterations. Where training counts iterations their number stays, and the images
    read so far.

    Args:
        position: Place in the old plan.
        old: The plan of the checkpoint.
        new: The plan of this run.

    Returns:
        The place in the new plan.
    """
    if new.unit == 'iter':
        return position
    done = position.iteration - position.epoch * old.epoch_iters
    inside = done * new.epoch_iters // old.epoch_iters
    return Position(
        position.epoch,
        position.epoch * new.epoch_iters + inside,
        inside * new.batch_size * new.processes,
    )


def scheduler_changes(
    fresh: list[dict[str, Any]], saved: list[dict[str, Any]]
) -> list[str]:
    """List what of the schedules of a checkpoint is not what the config says.

    Args:
        fresh: States of the schedulers that were built from the config.
        saved: States of those in the checkpoint.

    Returns:
        One ``'name old -> new'`` per difference, at most three of a scheduler.
    """
    if len(fresh) != len(saved):
        return [f'number of schedulers {len(saved)} -> {len(fresh)}']
    found = []
    for index, (new, old) in enumerate(zip(fresh, saved, strict=True)):
        keys = [
            key
            for key in new
            if key not in _RUNNING | _PLATEAU
            and _plain(new[key]) != _plain(old.get(key))
        ]
        name = f'param_scheduler.{index}'
        found += [
            f'{name}.{key} {_short(old.get(key))} -> {_short(new[key])}'
            for key in keys[:3]
        ]
    return found


def schedulers_of(runner: Runner) -> list[Any]:
    """Return all parameter schedulers of a runner."""
    found: Any = runner.param_schedulers or []
    return list(itertools.chain(*found.values())) if isinstance(found, dict) else found


def replay_schedules(runner: Runner, iterations: int, epoch_iters: int) -> None:
    """Step fresh schedulers as a training would have done until now.

    mmengine's schedulers compute each value from the one before, so that there is no
    other way to what the whole chain gives.

    Args:
        runner: The runner; its schedulers and the rates of its optimizer are those
            of the first iteration.
        iterations: Finished iterations.
        epoch_iters: Iterations of an epoch; 0 where training counts iterations.
    """
    schedulers = schedulers_of(runner)
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    by_iter = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    with warnings.catch_warnings():
        # They miss the steps of the optimizer in between.
        warnings.simplefilter('ignore')
        for done in range(1, iterations + 1):
            for scheduler in by_iter:
                scheduler.step()
            if epoch_iters and done % epoch_iters == 0:
                for scheduler in by_epoch:
                    scheduler.step()


def _plain(value: Any) -> Any:
    """Make values comparable that a checkpoint holds in another form."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + '...'
