# What all CPU-size ablations share: 4,000 CIFAR-10 images as four views of 32 px,
# batches of 64, 5 epochs (310 steps), no worker processes. This project's choice:
# about half a minute of one core.
_base_ = ['../../_base_/datasets/cifar10_multiview.py', '../../_base_/default_runtime.py']

train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict())
train_dataloader['dataset']['pipeline'] = _base_.train_dataloader.dataset.pipeline
train_dataloader['dataset']['pipeline'][0]['views'][0]['size'] = 32

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-3, weight_decay=0.02),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
# The warm-up counts iterations, so that it keeps its length where epochs change.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(
        type='CosineAnnealingLR',
        T_max=5,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=5)

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=1))

images = dict(
    type='msbreg_mm.InMemoryImages',
    data_root='data/cifar10_24k/',
    pipeline=[dict(type='PackInputs')],
)
monitor = dict(type='msbreg_mm.EmbeddingMonitorHook', interval=10)
# kNN on 1,000 images of which 1,000 others are neighbours: the curve, not the result.
online_probe = dict(
    type='msbreg_mm.OnlineProbeHook',
    bank=dict(dataset=dict(images, ann_file='train.npz', indices=1000), batch_size=250),
    query=dict(dataset=dict(images, ann_file='val.npz', indices=1000), batch_size=250),
    linear=False,
    at_start=True,
)
