# SwAV, as mmpretrain's swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px.py.
_base_ = [
    '../_base_/models/swav_resnet50.py',
    '../_base_/datasets/imagenet_swav_crops.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]

batch_size = 32
train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='LARS', lr=0.6)
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=200,
        eta_min=6e-4,
        by_epoch=True,
        begin=0,
        end=200,
        convert_to_iter_based=True,
    )
]
custom_hooks = [
    dict(
        type='SwAVHook',
        priority='VERY_HIGH',
        batch_size=batch_size,
        epoch_queue_starts=15,
        crops_for_assign=[0, 1],
        feat_dim=128,
        queue_length=3840,
        frozen_layers_cfg=dict(prototypes=5005),
    )
]
auto_scale_lr = dict(base_batch_size=256)
