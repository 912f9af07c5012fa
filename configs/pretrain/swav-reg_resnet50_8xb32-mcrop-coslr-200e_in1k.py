# SwAV with MSBReg's regularisers; the weights are this project's choice.
_base_ = ['./swav_resnet50_8xb32-mcrop-coslr-200e_in1k.py']

model = dict(
    _delete_=True,
    type='msbreg_mm.Regularized',
    algorithm=_base_.model,
    terms=dict(
        singular_value=dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01),
        brownian=dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1),
    ),
)
