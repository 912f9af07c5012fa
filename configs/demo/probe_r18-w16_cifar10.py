# kNN accuracy and geometry of frozen features: 4,000 CIFAR-10 images are the bank, 4,000
# others are classified. Another size is one flag: --cfg-options
# train_dataloader.dataset.short_side=32 val_dataloader.dataset.short_side=32
_base_ = ['../_base_/probe_runtime.py']

data_root = 'data/cifar10_24k/'
dataset = dict(
    type='msbreg_mm.InMemoryImages',
    data_root=data_root,
    ann_file='train.npz',
    indices=4000,
    short_side=48,  # the size of the pretraining crops
    pipeline=[dict(type='PackInputs')],
)
sampler = dict(type='DefaultSampler', shuffle=False)
loader = dict(batch_size=256, num_workers=0, sampler=sampler)
train_dataloader = dict(dataset=dataset, **loader)
val_dataloader = dict(dataset=dict(dataset, ann_file='val.npz'), **loader)

mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
data_preprocessor = dict(mean=mean, std=std, to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16),
    neck=dict(type='GlobalAveragePooling'),
)
train_cfg = dict(
    probes=[
        dict(type='msbreg_mm.KNNProbe', ks=(20, 200), temperatures=(0.07, 0.1)),
        dict(type='msbreg_mm.GeometryProbe'),
    ],
)
transfer = dict(
    protocol='CIFAR-10 subset: kNN, 4,000 + 4,000 images at 48 px',
    description='frozen features; k = 20, T = 0.07 and k = 200, T = 0.1',
    metrics=[
        ('knn/top1', '20-NN', 1),
        ('geometry/effective_rank', 'effective rank', 1),
    ],
)
