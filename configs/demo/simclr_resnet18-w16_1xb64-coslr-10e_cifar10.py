_base_ = [
    '../_base_/models/simclr_resnet18-w16.py',
    '../_base_/datasets/cifar10_two_views.py',
    '../_base_/schedules/adamw_coslr_10e.py',
    '../_base_/default_runtime.py',
]
