# MSBReg on ResNet-50 with BYOL's projector; the weights are this project's choice
# (docs/method.md holds the experiment).
_base_ = ['./byol_resnet50.py']

model = dict(
    _delete_=True,
    type='msbreg_mm.MSBReg',
    backbone=_base_.model.backbone,
    neck=_base_.model.neck,
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
    dict(type='msbreg_mm.TargetEMAHook', momentum=0.99),
    dict(type='msbreg_mm.EmbeddingMonitorHook', interval=50),
]
