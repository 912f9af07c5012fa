# VICReg (Bardes et al., 2022, arXiv 2105.04906): expander 8192-8192-8192, weights 25,
# 25, 1 as in the paper.
model = dict(
    type='msbreg_mm.VICReg',
    backbone=dict(type='ResNet', depth=50, zero_init_residual=True),
    neck=dict(
        type='NonLinearNeck',
        in_channels=2048,
        hid_channels=8192,
        out_channels=8192,
        num_layers=3,
        with_bias=True,
        with_last_bn=False,
        with_avg_pool=True,
        norm_cfg=dict(type='BN1d'),
    ),
    head=dict(type='msbreg_mm.VICRegHead', loss=dict(type='msbreg_mm.VICRegLoss')),
)
