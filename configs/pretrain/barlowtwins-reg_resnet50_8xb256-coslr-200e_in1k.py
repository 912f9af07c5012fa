# Barlow Twins with MSBReg's regularisers; its own gradient at this shape is 18 and 250 times as
# large beside theirs as in the demo (docs/regularized.md), and so are the weights, about.
_base_ = [
    './barlowtwins_resnet50_8xb256-coslr-200e_in1k.py',
    '../_base_/regularized.py',
]

terms = _base_.regularized.terms
terms.singular_value.loss_weight = 16.0
terms.brownian.loss_weight = 2500.0
model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
