"""Runs the one check of every training before its first step."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from msbreg_mm.registry import HOOKS
from msbreg_mm.runs.training_check import check_run


@HOOKS.register_module(name=['RunCheckHook', 'ClassCheckHook'])
class RunCheckHook(Hook):
    """Stops a run whose data sets, classes, heads and metrics do not fit.

    :func:`msbreg_mm.engine.launch.build_runner` adds it to every run; a config names
    it (as ``default_hooks.class_check``) to set its argument. See
    :func:`msbreg_mm.runs.training_check.check_run`.

    Args:
        allow_empty: Accept classes without a training image, e.g. for a trial run
            on the first images of a data set.
    """

    # Before anything that reads images.
    priority = 'VERY_HIGH'

    def __init__(self, allow_empty: bool = False) -> None:
        self.allow_empty = allow_empty

    def before_run(self, runner: Runner) -> None:
        """Check what the loops have built."""
        check_run(runner, self.allow_empty)

    def after_train_epoch(self, runner: Runner) -> None:
        """Say how many images could not be read so far."""
        bad = getattr(runner, 'bad_images', None)
        if bad is not None and (count := bad.count):
            runner.logger.warning(
                f'{count} images could not be read so far and others stand in for '
                f'them (at most {bad.limit}); they are listed in {bad.path}'
            )
