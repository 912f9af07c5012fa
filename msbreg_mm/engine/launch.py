"""From a config file and command-line flags to a runner."""

import json
import weakref
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.fileio import put_text
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.engine.hooks import RunCheckHook
from msbreg_mm.engine.resuming.config import use_resumable
from msbreg_mm.engine.runner import TrainingRunner
from msbreg_mm.runs.config import DictAction, LaunchOptions, resolve_config
from msbreg_mm.runs.data_check import check_data
from msbreg_mm.runs.loaders import watch_loaders
from msbreg_mm.runs.run_config import write_run_config
from msbreg_mm.runs.schedule import schedule_gaps
from msbreg_mm.runs.work_dir import (
    claim_work_dir,
    is_first_process,
    release_work_dir,
)
from msbreg_mm.utils.upstream import (
    UpstreamNoise,
    format_configs_once,
    import_scope,
)

__all__ = ['DictAction', 'LaunchOptions', 'build_runner', 'resolve_config', 'run_test']


def build_runner(options: LaunchOptions, training: bool = True) -> Runner:
    """Build the runner that ``tools/train.py`` and ``tools/test.py`` start.

    Args:
        options: Config file and flags.
        training: Whether it will train: then the work directory is its own until
            the training ends.

    Returns:
        The runner; ``train()`` or ``test()`` starts it.

    Raises:
        InputError: If the config, the checkpoint or the data root is not there (then
            also a ``FileNotFoundError``), a flag needs something that the config
            does not have, the checkpoint cannot be read, or ``load_from`` is none of
            mmengine's (then also a ``ValueError``); if another training uses the
            work directory, or it cannot be written.
    """
    cfg = resolve_config(options)
    check_data(cfg)
    import_scope(cfg.get('default_scope', ''))
    # From here on mmengine, too, opens every checkpoint through it.
    from msbreg_mm.checkpoints import guard, read_checkpoint, verify_resumable

    guard.trust_pickles(options.trust)
    if cfg.get('load_from'):
        verify_resumable(cfg.load_from)
    elif options.checkpoint not in (None, RANDOM):
        # Now, not after the data sets have been built; the hook gets what was read.
        path = Path(str(options.checkpoint)).expanduser()
        read_checkpoint(path, trust=options.trust, keep=True)
    if training and is_first_process(options.launcher):
        claim_work_dir(cfg.work_dir)
    try:
        runner = _build(cfg)
    except BaseException:
        release_work_dir(cfg.work_dir)
        raise
    # One that is never trained gives the folder back, too.
    weakref.finalize(runner, release_work_dir, cfg.work_dir)
    return runner


def _build(cfg: Config) -> Runner:
    """Connect the processes and build the runner."""
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        # mmengine would call torch.cuda.set_device.
        torch.distributed.init_process_group('gloo')
    use_resumable(cfg)
    format_configs_once()
    own = 'runner_type' in cfg
    runner = RUNNERS.build(cfg) if own else TrainingRunner.from_cfg(cfg)
    runner.logger.addFilter(UpstreamNoise())
    runner.bad_images = watch_loaders(runner)
    if not any(isinstance(hook, RunCheckHook) for hook in runner.hooks):
        runner.register_hook(RunCheckHook())
    for text in schedule_gaps(cfg):
        runner.logger.warning(text)
    if is_main_process():
        # As data: a report does not run the config.py that mmengine writes.
        write_run_config(Path(runner.log_dir) / 'vis_data', runner.cfg)
    return runner


def run_test(
    options: LaunchOptions, weights: str, out: str | None = None
) -> dict[str, float]:
    """Score a trained model on its config's test set.

    Args:
        options: Config file and flags.
        weights: Checkpoint that ``tools/train.py`` wrote with this config. Every
            key must match; to score a backbone alone, fine-tune it first.
        out: JSON file for the metrics.

    Returns:
        Metric names and values as the config's evaluator gives them.

    Raises:
        InputError: As :func:`build_runner`; and if ``weights`` cannot be read, or its
            keys are missing, unexpected or of another shape.
    """
    from msbreg_mm.checkpoints import CheckpointError, verify_resumable

    verify_resumable(weights)
    runner = build_runner(options, training=False)
    try:
        runner.load_checkpoint(weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f'{weights} does not fit {options.config}: {error}\nScore it with the '
            'config and the --cfg-options that it was trained with (vis_data/config.py '
            'in its work directory)'
        ) from None
    # mmseg's are numpy numbers, which JSON does not take.
    metrics = {key: float(value) for key, value in runner.test().items()}
    if out is not None and is_main_process():
        text = json.dumps(metrics, indent=2) + '\n'
        put_text(text, out, backend_args={'backend': 'msbreg_atomic'})
    return metrics
