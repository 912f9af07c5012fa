_base_ = [
    '../../_base_/models/fcn_r50-d16.py',
    '../../_base_/datasets/voc12aug_seg.py',
    '../../_base_/schedules/seg_step_30k.py',
    '../../_base_/segmentation_runtime.py',
]

# Scaled by a factor in [0.5, 2] of the image's own size (here in DeepLab's steps of
# 0.25), cropped to 513, flipped; tested at the image's own size.
scales = [[dict(type='Resize', scale_factor=s / 4)] for s in range(2, 9)]
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomChoice', transforms=scales),
    dict(type='RandomCrop', crop_size=(513, 513)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
parts = _base_.train_dataloader.dataset.datasets
parts[0].pipeline = parts[1].pipeline = pipeline
train_dataloader = dict(dataset=dict(datasets=parts))
val_dataloader = dict(dataset=dict(pipeline=_base_.unscaled_pipeline))
test_dataloader = val_dataloader

transfer = dict(
    protocol='VOC12aug FCN-16s R50, 30k (MoCo)',
    description='MoCo appendix A.5: crop 513, batch 16, lr 0.003, 30k iterations',
)
