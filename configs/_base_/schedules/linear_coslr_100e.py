# The linear evaluation of SwAV and Barlow Twins: 0.3, weight decay 1e-6, cosine by epoch.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.3, momentum=0.9, weight_decay=1e-6),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=100, begin=0, end=100)
]
auto_scale_lr = dict(enable=False, base_batch_size=256)
