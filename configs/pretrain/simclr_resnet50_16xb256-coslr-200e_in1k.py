# SimCLR, as mmpretrain's simclr_resnet50_16xb256-coslr-200e_in1k.py (here with AMP).
_base_ = [
    '../_base_/models/simclr_resnet50.py',
    '../_base_/datasets/imagenet_simclr_views.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]
