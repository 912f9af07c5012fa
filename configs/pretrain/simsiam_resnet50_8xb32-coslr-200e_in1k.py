# SimSiam with its own optimizer: SGD, constant rate for the predictor.
_base_ = [
    '../_base_/models/simsiam_resnet50.py',
    '../_base_/datasets/imagenet_multiview.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]

lr = 0.05
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=lr, weight_decay=1e-4, momentum=0.9),
    paramwise_cfg=dict(_delete_=True, custom_keys={'predictor': dict(fix_lr=True)}),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=200, by_epoch=True, begin=0, end=200)
]
custom_hooks = [dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=lr)]
auto_scale_lr = dict(base_batch_size=256)
