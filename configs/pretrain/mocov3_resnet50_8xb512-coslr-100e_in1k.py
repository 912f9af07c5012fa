# MoCo v3, as mmpretrain's mocov3_resnet50_8xb512-amp-coslr-100e_in1k.py.
_base_ = [
    '../_base_/models/mocov3_resnet50.py',
    '../_base_/datasets/imagenet_mocov3_views.py',
    '../_base_/schedules/lars_coslr_100e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=512)
optim_wrapper = dict(optimizer=dict(lr=9.6))
