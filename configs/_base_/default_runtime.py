# Runtime of pretraining and classification (mmpretrain's scope).
_base_ = ['mmpretrain::_base_/default_runtime.py', './common_runtime.py']

default_hooks = dict(
    non_finite=dict(type='msbreg_mm.NonFiniteHook'),
    channels_last=dict(type='msbreg_mm.ChannelsLastHook'),
    logger=dict(interval=50),
    checkpoint=dict(
        type='msbreg_mm.ResumableCheckpointHook',
        interval_minutes=30,
        max_keep_ckpts=3,
        # a kill while writing leaves no truncated file
        backend_args=dict(backend='msbreg_atomic'),
    ),
)

# Every process draws its own augmentations and Brownian directions; mmengine
# broadcasts the initial weights and the sampler's seed.
randomness = dict(seed=0, diff_rank_seed=True)
