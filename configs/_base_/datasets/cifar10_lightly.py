# Two views as in lightly's CIFAR-10 benchmark: BYOL's two transforms, 32 px, no blur.
_base_ = ['./in_memory_multiview.py']

data_root = 'data/cifar10_24k/'
view = dict(size=32, interpolation='bilinear', blur_prob=0.0)
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        data_root=data_root,
        ann_file='train.npz',
        pipeline=[
            dict(
                type='msbreg_mm.MultiViewAugment',
                views=[view, dict(view, solarize_prob=0.2)],
            ),
            dict(type='PackInputs'),
        ],
    ),
)
