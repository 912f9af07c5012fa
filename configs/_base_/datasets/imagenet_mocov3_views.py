# MoCo v3's two views (Chen et al., 2021, arXiv 2104.02057): BYOL's, with larger crops,
# as mmpretrain's imagenet_bs512_mocov3.py has them.
_base_ = ['./imagenet_multiview.py']

view = dict(crop_scale=(0.2, 1.0), interpolation='bilinear')
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='msbreg_mm.MultiViewAugment',
                views=[view, dict(**view, blur_prob=0.1, solarize_prob=0.2)],
                on_corrupt='skip',
            ),
            dict(type='PackInputs'),
        ]
    )
)
