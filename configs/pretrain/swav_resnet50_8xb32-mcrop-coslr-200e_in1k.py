# SwAV's 200 epochs of 256 images (scripts/swav_200ep_bs256_pretrain.sh): everything decays
# and adapts, the prototypes stay as they are for an epoch.
_base_ = [
    '../_base_/models/swav_resnet50.py',
    '../_base_/datasets/imagenet_swav_crops.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]

batch_size = 32
train_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=0.6), paramwise_cfg=None)
cosine = _base_.param_scheduler[1]
cosine.update(begin=0, T_max=200, eta_min_ratio=1e-3)
param_scheduler = [cosine]
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
