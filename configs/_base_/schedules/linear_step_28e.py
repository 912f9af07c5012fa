# mmselfsup's schedule on Places205; 84 epochs with three times the steps on iNaturalist.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=28, val_interval=7)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[7, 14, 21], gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=256)
