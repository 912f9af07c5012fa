# A small labelled image set held decoded in memory: crops of 64 px to train on, the
# central 64 px of a short side of 72 px (8/9, near the usual 224 of 256) to score.
data_root = 'data/caltech101_80px/'

data_preprocessor = dict(
    type='ClsDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

train_pipeline = [
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.2, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='ResizeEdge', scale=72, edge='short'),
    dict(type='CenterCrop', crop_size=64),
    dict(type='PackInputs'),
]

images = dict(type='msbreg_mm.InMemoryImages', data_root=data_root, with_label=True)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # loading is far cheaper than a step on a CPU
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(images, data_prefix='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(images, data_prefix='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
