# DenseCL, as mmpretrain's densecl_resnet50_8xb32-coslr-200e_in1k.py.
_base_ = [
    '../_base_/models/densecl_resnet50.py',
    '../_base_/datasets/imagenet_mocov2_views.py',
    '../_base_/schedules/sgd_coslr_200e.py',
    '../_base_/default_runtime.py',
]

sync_bn = None  # the keys are shuffled between processes that normalise by themselves
train_dataloader = dict(batch_size=32)
