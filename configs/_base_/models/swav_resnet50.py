# mmpretrain's SwAV; num_crops must agree with the pipeline's groups of views.
model = dict(
    type='SwAV',
    backbone=dict(type='ResNet', depth=50, zero_init_residual=True),
    neck=dict(
        type='SwAVNeck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128,
        with_avg_pool=True,
        norm_cfg=dict(type='BN1d'),
    ),
    head=dict(
        type='SwAVHead',
        loss=dict(
            type='SwAVLoss',
            feat_dim=128,
            epsilon=0.05,
            temperature=0.1,
            num_crops=[2, 6],
        ),
    ),
)
# The prototypes are frozen at first.
find_unused_parameters = True
