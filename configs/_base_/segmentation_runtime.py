# Runtime of semantic segmentation (mmseg's scope), by iteration. mmengine resolves
# `mmseg::` to a package that is no longer published, so nothing is inherited from it.
_base_ = ['./common_runtime.py']

custom_imports = dict(
    imports=['msbreg_mm.engine', 'msbreg_mm.evaluation.segmentation_metric']
)

default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='msbreg_mm.ResumableCheckpointHook',
        interval_minutes=30,
        by_epoch=False,
        interval=2000,
        max_keep_ckpts=2,
        # a kill while writing leaves no truncated file
        backend_args=dict(backend='msbreg_atomic'),
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    non_finite=dict(type='msbreg_mm.NonFiniteHook'),
    channels_last=dict(type='msbreg_mm.ChannelsLastHook'),
)
log_processor = dict(by_epoch=False)
visualizer = dict(
    type='SegLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, diff_rank_seed=True)
