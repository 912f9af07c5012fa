# SwAV's multi-crop (Caron et al., 2020, arXiv 2006.09882): 2 x 224 px + 6 x 96 px, as
# mmpretrain's swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px.py has it.
_base_ = ['./imagenet_multiview.py']

colour = dict(
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
            dict(
                type='msbreg_mm.MultiViewAugment',
                views=[
                    dict(num_views=2, size=224, crop_scale=(0.14, 1.0), **colour),
                    dict(num_views=6, size=96, crop_scale=(0.05, 0.14), **colour),
                ],
                on_corrupt='skip',
            ),
            dict(type='PackInputs'),
        ]
    )
)
