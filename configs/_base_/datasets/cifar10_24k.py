# The CIFAR-10 pack: the first 4,000 images to train on and 4,000 to score, at the 48 px
# of the pretraining crops.
_base_ = ['./in_memory_classification.py']

data_root = 'data/cifar10_24k/'
data_files = ['train.npz', 'val.npz']
train_pipeline = [
    dict(type='RandomResizedCrop', scale=48, crop_ratio_range=(0.2, 1.0)),
    *_base_.train_pipeline[1:],
]
test_pipeline = [dict(type='PackInputs')]
images = dict(
    _delete_=True,
    type='msbreg_mm.InMemoryImages',
    data_root=data_root,
    with_label=True,
    short_side=48,
)
train_dataloader = dict(
    dataset=dict(images, ann_file='train.npz', indices=4000, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(images, ann_file='val.npz', pipeline=test_pipeline))
test_dataloader = val_dataloader
