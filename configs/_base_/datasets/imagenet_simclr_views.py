# SimCLR's two views (Chen et al., 2020, arXiv 2002.05709) as mmpretrain's
# imagenet_bs32_simclr.py has them.
_base_ = ['./imagenet_multiview.py']

view = dict(
    num_views=2,
    interpolation='bilinear',
    brightness=0.8,
    contrast=0.8,
    saturation=0.8,
    hue=0.2,
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
