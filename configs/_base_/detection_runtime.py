# Runtime of detection and instance segmentation (mmdet's scope), by epoch.
_base_ = ['mmdet::_base_/default_runtime.py', './common_runtime.py']

default_hooks = dict(
    channels_last=dict(type='msbreg_mm.ChannelsLastHook'),
    # msbreg_atomic: a kill while writing leaves no truncated file.
    checkpoint=dict(max_keep_ckpts=2, backend_args=dict(backend='msbreg_atomic')),
)
randomness = dict(seed=0, diff_rank_seed=True)
