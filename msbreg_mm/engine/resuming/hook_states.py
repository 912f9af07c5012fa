"""What hooks remember from one validation to the next, and mmengine does not keep."""

from typing import Any

from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.runner import Runner, get_priority

# Upstream's hooks that remember something and have no state_dict.
_REMEMBERED: dict[type[Hook], tuple[str, ...]] = {
    EarlyStoppingHook: ('wait_count', 'best_score'),
}


def hook_states(runner: Runner) -> dict[str, dict[str, Any]]:
    """Collect what hooks remember, by class and number.

    A hook with ``state_dict`` and ``load_state_dict`` is asked; of upstream's, which
    have none, it is known.

    Args:
        runner: The runner.

    Returns:
        Plain values; hooks that remember nothing are not in it.
    """
    found = {}
    for name, hook in _named(runner):
        if hasattr(hook, 'state_dict'):
            found[name] = dict(hook.state_dict())
        elif names := _remembered(hook):
            found[name] = {key: getattr(hook, key) for key in names}
    return found


def put_before(runner: Runner, saver: Hook) -> None:
    """Let hooks that remember something have a validation before it is saved.

    Args:
        runner: The runner.
        saver: The hook that saves checkpoints.
    """
    last = get_priority(saver.priority)
    for hook in runner.hooks:
        if _remembered(hook) and get_priority(hook.priority) >= last:
            hook.priority = last - 1
    runner._hooks = sorted(runner.hooks, key=lambda hook: get_priority(hook.priority))


def restore_hooks(runner: Runner, states: dict[str, dict[str, Any]]) -> None:
    """Give hooks back what they remembered.

    Args:
        runner: The runner that resumes.
        states: As from :func:`hook_states`; those of hooks that are gone are dropped.
    """
    for name, hook in _named(runner):
        state = states.get(name)
        if state is None:
            continue
        if hasattr(hook, 'load_state_dict'):
            hook.load_state_dict(state)
        else:
            for key in _remembered(hook):
                setattr(hook, key, state[key])
        if isinstance(hook, EarlyStoppingHook) and hook.wait_count >= hook.patience:
            runner.train_loop.stop_training = True


def _named(runner: Runner) -> list[tuple[str, Hook]]:
    counts: dict[str, int] = {}
    found = []
    for hook in runner.hooks:
        kind = type(hook).__name__
        counts[kind] = counts.get(kind, -1) + 1
        found.append((f'{kind}{counts[kind]}', hook))
    return found


def _remembered(hook: Hook) -> tuple[str, ...]:
    return next((n for kind, n in _REMEMBERED.items() if isinstance(hook, kind)), ())
