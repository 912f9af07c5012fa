# Short pretraining of small networks: AdamW, 10 % warm-up, cosine. AdamW because 24
# epochs of a few thousand images are too few steps for LARS.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.02),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=2,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=22,
        by_epoch=True,
        begin=2,
        end=24,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24)
auto_scale_lr = dict(enable=False, base_batch_size=64)
