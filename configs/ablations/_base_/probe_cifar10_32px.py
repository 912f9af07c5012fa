# The demo's probe at the 32 px that the ablations pretrain with.
_base_ = ['../../demo/probe_r18-w16_cifar10.py']

train_dataloader = dict(dataset=dict(short_side=32))
val_dataloader = dict(dataset=dict(short_side=32))
transfer = dict(
    protocol='CIFAR-10 subset: kNN, 4,000 + 4,000 images at 32 px',
    metrics=[
        ('knn/top1', '20-NN', 1),
        ('geometry/effective_rank', 'effective rank, features', 1),
    ],
)
