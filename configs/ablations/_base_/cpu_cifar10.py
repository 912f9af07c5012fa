# What all CPU-size ablations share: 4,000 CIFAR-10 images as four views of 32 px,
# batches of 64, 5 epochs (310 steps), no worker processes. This project's choice:
# about half a minute of one core.
_base_ = [
    '../../_base_/datasets/cifar10_multiview.py',
    '../../_base_/default_runtime.py',
]

train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict())
train_dataloader['dataset']['pipeline'] = _base_.train_dataloader.dataset.pipeline
train_dataloader['dataset']['pipeline'][0]['views'][0]['size'] = 32

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.02),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
warmup = dict(type='LinearLR', start_factor=0.01, begin=0, end=1)
cosine = dict(type='CosineAnnealingLR', T_max=4, begin=1, end=5)
for scheduler in (warmup, cosine):
    scheduler.update(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [warmup, cosine]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=5)

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=1))
