# ssl-transfer's fine-tuning: 5,000 steps of 64 images, SGD with Nesterov's momentum,
# cosine by step. It searches 20 pairs of learning rate and weight decay on validation
# images; this is one of them (1e-2, 1e-6 / 1e-2), this project's choice.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=5000, val_interval=5000)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=5000, begin=0, end=5000)
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
