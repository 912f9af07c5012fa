# A small image set held decoded in memory; four views of 64 px, without solarisation
# and with weak blur (both erase most of what a small image shows).
_base_ = ['./multiview_loader.py']

data_root = 'data/shapes/'

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(
        type='msbreg_mm.InMemoryImages',
        data_root=data_root,
        pipeline=[
            dict(
                type='msbreg_mm.MultiViewAugment',
                views=[
                    dict(
                        num_views=4,
                        size=64,
                        crop_scale=(0.2, 1.0),
                        interpolation='bilinear',
                        blur_prob=0.2,
                        blur_sigma=(0.1, 1.0),
                        solarize_prob=0.0,
                    )
                ],
            ),
            dict(type='PackInputs'),
        ],
    ),
)
