# Runtime of detection and instance segmentation (mmdet's scope), by epoch.
_base_ = ['mmdet::_base_/default_runtime.py', './common_runtime.py']

detection_imports = [
    'msbreg_mm.engine',
    'msbreg_mm.evaluation.detection_metrics',
    'msbreg_mm.datasets.voc_detection',
]
custom_imports = dict(imports=detection_imports)

default_hooks = dict(
    non_finite=dict(type='msbreg_mm.NonFiniteHook'),
    channels_last=dict(type='msbreg_mm.ChannelsLastHook'),
    checkpoint=dict(
        type='msbreg_mm.ResumableCheckpointHook',
        interval_minutes=30,
        max_keep_ckpts=2,
        # a kill while writing leaves no truncated file
        backend_args=dict(backend='msbreg_atomic'),
    ),
)
randomness = dict(seed=0, diff_rank_seed=True)
