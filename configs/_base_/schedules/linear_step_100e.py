# MoCo's linear evaluation: learning rate 30, no weight decay, steps at 60 and 80.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=30.0, momentum=0.9, weight_decay=0.0),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 80], gamma=0.1)
]
auto_scale_lr = dict(enable=False, base_batch_size=256)
