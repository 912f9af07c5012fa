# ImageNet with labels: random crops of 224 px to train on, the central 224 px of a short
# side of 256 px to score. 32 images a GPU are 256 on the 8 GPUs of the recipes.
_base_ = ['./classification_224.py']

data_root = 'data/imagenet/'
data_files = ['train', 'val']
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
imagenet = dict(type='ImageNet', data_root=data_root)
train_dataloader = dict(
    batch_size=32, dataset=dict(imagenet, split='train', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(imagenet, split='val', pipeline=test_pipeline))
test_dataloader = val_dataloader
