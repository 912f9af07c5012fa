# MSBReg's regularisers around another method: model = dict(_delete_=True,
# algorithm=_base_.model, **_base_.regularized). The weights are this project's choice
# (docs/regularized.md); a config whose weights differ says so.
regularized = dict(
    type='msbreg_mm.Regularized',
    terms=dict(
        singular_value=dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01),
        brownian=dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1),
    ),
)
