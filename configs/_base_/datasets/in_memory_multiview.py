# A small image set held decoded in memory; four views of 64 px, without solarisation
# and with weak blur (both erase most of what a small image shows).
data_root = 'data/shapes/'

data_preprocessor = dict(
    type='SelfSupDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='msbreg_mm.InMemoryImages',
        data_root=data_root,
        with_label=False,
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
