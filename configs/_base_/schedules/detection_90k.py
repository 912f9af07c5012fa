# detectron2's 1x: 90k iterations of 16 images, steps at 60k and 80k, 1,000 iterations
# of warm-up; as there (SOLVER.WEIGHT_DECAY_NORM = 0), normalisation does not decay.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=90000, val_interval=30000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
# Longer and shorter schedules set the milestones alone.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=False, milestones=[60000, 80000], gamma=0.1),
]

auto_scale_lr = dict(enable=False, base_batch_size=16)
