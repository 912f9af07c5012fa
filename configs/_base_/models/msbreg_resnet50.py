# MSBReg on ResNet-50 with BYOL's projector; the weights are this project's choice
# (docs/method.md holds the experiment).
model = dict(
    type='msbreg_mm.MSBReg',
    backbone=dict(type='ResNet', depth=50, zero_init_residual=False),
    neck=dict(
        type='NonLinearNeck',
        in_channels=2048,
        hid_channels=4096,
        out_channels=256,
        num_layers=2,
        with_bias=True,
        with_last_bn=False,
        with_avg_pool=True,
        norm_cfg=dict(type='BN1d'),
    ),
    head=dict(
        type='msbreg_mm.MSBRegHead',
        terms=dict(
            centroid=dict(type='msbreg_mm.MultiviewCentroidLoss', form='view'),
            singular_value=dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01),
            brownian=dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1),
        ),
    ),
)

custom_hooks = [
    dict(type='msbreg_mm.TargetEMAHook', momentum=0.996),
    dict(type='msbreg_mm.EmbeddingMonitorHook', interval=50),
]
