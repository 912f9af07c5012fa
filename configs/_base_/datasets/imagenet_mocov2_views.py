# MoCo v2's two views (Chen et al., 2020, arXiv 2003.04297) as mmpretrain's
# imagenet_bs32_mocov2.py has them.
_base_ = ['./imagenet_multiview.py']

view = dict(
    num_views=2,
    crop_scale=(0.2, 1.0),
    interpolation='bilinear',
    saturation=0.4,
    blur_prob=0.5,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='msbreg_mm.MultiViewAugment', views=[view], on_corrupt='skip'),
            dict(type='PackInputs'),
        ]
    )
)
