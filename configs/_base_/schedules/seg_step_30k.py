# MoCo on VOC (arXiv 1911.05722, appendix A.5): 30k iterations of 16 images, lr 0.003,
# divided by 10 at 70 % and 90 %, weight decay 1e-4.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=30000, val_interval=5000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.003, momentum=0.9, weight_decay=0.0001),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[21000, 27000], gamma=0.1, by_epoch=False)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
