"""Taking up a training where its checkpoint left it."""

import datetime
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import Runner

from msbreg_mm.engine.resuming.plan import (
    Plan,
    Position,
    replay_schedules,
    scheduler_changes,
    schedulers_of,
    translate,
)
from msbreg_mm.engine.resuming.rank_states import State, restore_state
from msbreg_mm.runs.folder import RESUMES
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.files import write_text

# Key of the checkpoint.
KEY = 'msbreg_resume'
START = Position(0, 0, 0)


@dataclass
class Resumption:
    """Where and how a training goes on.

    Attributes:
        position: The place in this run's plan; the very start of a new run.
        changes: What differs from the run that wrote the checkpoint.
        validated: Whether the network of the checkpoint has been validated.
        source: Checkpoint or its folder, for messages; ``''`` in a new run.
        old_iteration: Iteration in the plan of the checkpoint.
        ranks: What each process had for itself.
    """

    position: Position = START
    changes: list[str] = field(default_factory=list)
    validated: bool = True
    source: str = ''
    old_iteration: int = 0
    ranks: list[State] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)


def read_resumption(runner: Runner, checkpoint: dict[str, Any]) -> Resumption:
    """Find out where a checkpoint leaves off, and adapt it to this run's plan.

    Called when mmengine has read the checkpoint and not yet used it. If the plan has
    changed, its epoch and iteration are set to the same place in the new plan, and
    the states of its schedulers are taken out: :func:`apply_resumption` computes them.

    Args:
        runner: The runner that resumes.
        checkpoint: Content of the file; it is changed in place.

    Raises:
        OptionError: If the place cannot be found, or the schedules cannot be computed
            again since they follow metrics.
    """
    meta, kept = checkpoint['meta'], checkpoint.get(KEY) or {}
    new: Plan = runner.train_loop.plan
    old = Plan.from_dict(kept['plan']) if 'plan' in kept else _guess(meta, new)
    epoch, iteration = int(meta['epoch']), int(meta['iter'])
    images = kept.get('images')
    if images is None:
        inside = iteration - epoch * old.epoch_iters
        if new.unit == 'iter':
            inside = iteration
        images = inside * old.batch_size * old.processes
    found = Resumption(
        Position(epoch, iteration, int(images)),
        new.changes_from(old),
        bool(kept.get('validated', True)),
        str(runner._load_from or runner.work_dir),
        iteration,
        list(kept.get('ranks') or []),
    )
    if old.unit != new.unit:
        raise OptionError(
            f'{found.source} was trained by {old.unit}, this config trains by '
            f'{new.unit}: the place in the training is unknown. Resume with the loop '
            'of the checkpoint, or start anew with load_from'
        )
    fresh = [scheduler.state_dict() for scheduler in schedulers_of(runner)]
    found.changes += scheduler_changes(fresh, _saved(checkpoint))
    if found.changes:
        _follow_new_plan(runner, checkpoint, found, old, new)
    return found


def apply_resumption(runner: Runner, found: Resumption) -> None:
    """Compute the schedules anew if the plan has changed, and say all of it.

    Args:
        runner: The runner, with everything of the checkpoint loaded.
        found: From :func:`read_resumption`.
    """
    at = found.position
    if found.changes:
        for group, settings in zip(
            runner.optim_wrapper.param_groups, found.groups, strict=True
        ):
            group.update(settings)
        plan: Plan = runner.train_loop.plan
        epoch_iters = plan.epoch_iters if plan.unit == 'epoch' else 0
        replay_schedules(runner, at.iteration, epoch_iters)
        runner.logger.warning(
            f'The run resumes with another plan ({"; ".join(found.changes)}). '
            'Learning rate and momentum follow the schedule of this config from '
            f'epoch {at.epoch}, iteration {at.iteration} on (iteration '
            f'{found.old_iteration} of the checkpoint).'
        )
    else:
        runner.logger.info(
            f'Resumed at epoch {at.epoch}, iteration {at.iteration}: the run goes on '
            'as if it had not been interrupted.'
        )
    _note(runner, found)


def restore_own_state(runner: Runner, found: Resumption) -> None:
    """Give this process its own buffers and gradients back.

    With another number of processes all have the buffers of the first, and with
    another plan gradients that were accumulating are dropped.
    """
    if len(found.ranks) != get_world_size():
        return
    if found.changes:
        found.ranks = [{**state, 'grads': {}} for state in found.ranks]
    restore_state(runner, found.ranks)


def _follow_new_plan(
    runner: Runner,
    checkpoint: dict[str, Any],
    found: Resumption,
    old: Plan,
    new: Plan,
) -> None:
    if any(hasattr(scheduler, 'num_bad_epochs') for scheduler in schedulers_of(runner)):
        raise OptionError(
            f'{found.source} cannot be resumed with another plan '
            f'({"; ".join(found.changes)}): a schedule that follows metrics cannot be '
            'computed again. Resume with the old settings, or start anew with load_from'
        )
    found.position = translate(found.position, old, new)
    checkpoint['meta']['epoch'] = found.position.epoch
    checkpoint['meta']['iter'] = found.position.iteration
    checkpoint.pop('param_schedulers', None)
    found.groups = [
        {key: value for key, value in group.items() if key != 'params'}
        for group in runner.optim_wrapper.param_groups
    ]


def _saved(checkpoint: dict[str, Any]) -> list[dict[str, Any]]:
    saved = checkpoint.get('param_schedulers') or []
    parts = saved.values() if isinstance(saved, dict) else [saved]
    return list(itertools.chain(*parts))


def _guess(meta: dict[str, Any], new: Plan) -> Plan:
    """Assume this run's plan for a checkpoint that has none, but for the epoch."""
    epoch, iteration = int(meta['epoch']), int(meta['iter'])
    if new.unit == 'iter' or not epoch or iteration % epoch:
        return new
    return Plan(**{**new.to_dict(), 'epoch_iters': iteration // epoch})


def _note(runner: Runner, found: Resumption) -> None:
    """Add a line to the file from which a result record takes its notes."""
    if not is_main_process():
        return
    path = Path(runner.work_dir) / RESUMES
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    now = datetime.datetime.now(datetime.UTC)
    line = {
        'time': now.isoformat(timespec='seconds'),
        'epoch': found.position.epoch,
        'iteration': found.position.iteration,
        'changes': found.changes,
    }
    write_text(path, '\n'.join([*lines, json.dumps(line)]) + '\n')
