# SimSiam's linear evaluation, as mmselfsup runs it: LARS, 1.6 at batch 4,096, cosine.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=10)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LARS', lr=1.6, momentum=0.9, weight_decay=0.0),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=90, begin=0, end=90)
]
auto_scale_lr = dict(enable=False, base_batch_size=4096)
