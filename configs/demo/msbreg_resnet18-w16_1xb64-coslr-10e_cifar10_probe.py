# The demo's pretraining, scored every epoch on 2,000 + 1,000 labelled images, best kept.
_base_ = ['./msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py']

data_root = 'data/cifar10_24k/'
images = dict(
    type='msbreg_mm.InMemoryImages',
    data_root=data_root,
    short_side=48,  # the size of the views
    pipeline=[dict(type='PackInputs')],
)
bank = dict(images, ann_file='train.npz', max_images=2000)
query = dict(images, ann_file='val.npz', max_images=1000)

custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='msbreg_mm.OnlineProbeHook',
        interval=1,
        bank=dict(batch_size=250, dataset=bank),
        query=dict(batch_size=250, dataset=query),
        at_start=True,
    ),
]
default_hooks = dict(checkpoint=dict(save_best='probe/knn_top1', rule='greater'))
