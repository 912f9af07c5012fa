_base_ = [
    '../_base_/models/swav_resnet18-w16.py',
    '../_base_/datasets/cifar10_swav_crops.py',
    '../_base_/schedules/adamw_coslr_10e.py',
    '../_base_/default_runtime.py',
]

# SwAVNeck registers its normalisation twice
optim_wrapper = dict(paramwise_cfg=dict(bypass_duplicate=True))
