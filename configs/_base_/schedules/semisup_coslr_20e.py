# Fine-tuning on few labels as Barlow Twins and VICReg do it: 20 epochs, cosine by epoch,
# no weight decay. The leaf sets the rate of the head and the backbone's factor to it.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=5)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.5, momentum=0.9, weight_decay=0.0),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.01))),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=20, begin=0, end=20)
]
auto_scale_lr = dict(enable=False, base_batch_size=256)
