# mmpretrain's BYOL over 200 epochs (the target keeps 0.99 of itself at first); the predictor
# repeats the projector's shape.
projector = dict(
    type='NonLinearNeck',
    in_channels=2048,
    hid_channels=4096,
    out_channels=256,
    num_layers=2,
    with_bias=True,
    with_last_bn=False,
    with_avg_pool=True,
    norm_cfg=dict(type='BN1d'),
)
model = dict(
    type='BYOL',
    base_momentum=0.01,
    backbone=dict(type='ResNet', depth=50, zero_init_residual=False),
    neck=projector,
    head=dict(
        type='LatentPredictHead',
        predictor=dict(projector, in_channels=256, with_avg_pool=False),
        loss=dict(type='CosineSimilarityLoss'),
    ),
)
