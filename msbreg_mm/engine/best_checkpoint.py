"""Saving the best checkpoint by metrics of a hook instead of a validation loop."""

from collections.abc import Mapping, Sequence

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from msbreg_mm.utils.errors import OptionError


def check_save_best(
    runner: Runner, metrics: Sequence[str], by_epoch: bool, source: str
) -> None:
    """Check that CheckpointHook can do what its ``save_best`` asks for.

    A hook of mmengine takes its metrics from one source, and counts epochs or
    iterations: the checkpoint that it writes beside the best would otherwise be
    named by an epoch that is not over.

    Args:
        runner: The runner, before training.
        metrics: Keys that the source gives; of ``save_best`` only those with the
            same first part (``'probe/'``) concern it.
        by_epoch: Whether the source counts epochs.
        source: Name of the source in messages.

    Raises:
        OptionError: If a key is unknown or stands beside one of another source,
            there is a validation loop, or the units differ.
    """
    prefix = metrics[0].partition('/')[0] + '/'
    for hook in _hooks(runner):
        asked = [key for key in hook.save_best if key.startswith(prefix)]
        if not asked:
            continue
        if set(hook.save_best) - set(metrics):
            raise OptionError(
                f'save_best of CheckpointHook is {hook.save_best}; {source} gives '
                f'{", ".join(metrics)}, and no other metric can stand beside them'
            )
        if runner.val_loop is not None:
            raise OptionError(
                f'save_best={asked} of CheckpointHook needs a config without '
                'validation, whose metrics it would look at, too; set val_cfg, '
                'val_dataloader and val_evaluator to None'
            )
        if hook.by_epoch != by_epoch:
            raise OptionError(
                f'{source} has by_epoch={by_epoch} and CheckpointHook '
                f'by_epoch={hook.by_epoch}; to save the best both must be the same'
            )


def save_best(runner: Runner, metrics: Mapping[str, float]) -> None:
    """Let CheckpointHook save the model if a metric that it watches is the best.

    Call it where mmengine validates: when the epoch or iteration has been counted.

    Args:
        runner: The runner, in training.
        metrics: Values by key, the same on all ranks.
    """
    for hook in _hooks(runner):
        auto = hook.key_indicators == ['auto'] and runner.val_loop is None
        if auto or set(hook.key_indicators) <= set(metrics):
            hook.after_val_epoch(runner, dict(metrics))


def _hooks(runner: Runner) -> list[CheckpointHook]:
    return [
        hook
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and hook.save_best
    ]
