"""Puts parts that survive anything in the place of mmengine's."""

from mmengine.config import Config, ConfigDict

LOOPS = {
    'EpochBasedTrainLoop': 'msbreg_mm.ResumableEpochLoop',
    'IterBasedTrainLoop': 'msbreg_mm.ResumableIterLoop',
}
CHECKPOINT_HOOK = 'msbreg_mm.ResumableCheckpointHook'
_ATOMIC = {'backend': 'msbreg_atomic'}
_WORKER = {'type': 'msbreg_mm.steadfast_worker'}


def use_resumable(cfg: Config) -> None:
    """Let the training of a config stop and go on anywhere, and notice NaN, in place.

    Loops and checkpoint hooks that are not mmengine's own are left alone, and so are
    settings that the config makes.

    Args:
        cfg: Config of a runner.
    """
    loop = cfg.get('train_cfg')
    if not isinstance(loop, ConfigDict):
        return
    if 'by_epoch' in loop and 'type' not in loop:
        by_epoch = loop.pop('by_epoch')
        loop.type = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
    name = str(loop.get('type')).removeprefix('mmengine.')
    loop.type = LOOPS.get(name, loop.get('type'))
    hooks = cfg.setdefault('default_hooks', ConfigDict())
    hook = hooks.setdefault('checkpoint', ConfigDict(type='CheckpointHook', interval=1))
    if isinstance(hook, dict):
        if str(hook.get('type')).removeprefix('mmengine.') == 'CheckpointHook':
            hook['type'] = CHECKPOINT_HOOK
        if hook.get('type') == CHECKPOINT_HOOK and not hook.get('out_dir'):
            hook.setdefault('backend_args', ConfigDict(_ATOMIC))
    hooks.setdefault('non_finite', ConfigDict(type='msbreg_mm.NonFiniteHook'))
    for part in ('train_dataloader', 'val_dataloader'):
        loader = cfg.get(part)
        if isinstance(loader, ConfigDict) and loader.get('num_workers'):
            loader.setdefault('worker_init_fn', ConfigDict(_WORKER))
