_base_ = [
    '../../_base_/models/fcn_r50-d16.py',
    '../../_base_/datasets/cityscapes_seg.py',
    '../../_base_/schedules/seg_step_30k.py',
    '../../_base_/segmentation_runtime.py',
]

model = dict(data_preprocessor=dict(size=(769, 769)), decode_head=dict(num_classes=19))
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0)),
            dict(type='RandomCrop', crop_size=(769, 769)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ]
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.unscaled_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=90000, val_interval=15000)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[63000, 81000], gamma=0.1, by_epoch=False)
]

transfer = dict(
    protocol='Cityscapes FCN-16s R50, 90k (MoCo)',
    description='MoCo appendix A.5: crop 769, batch 16, lr 0.01, 90k iterations',
)
