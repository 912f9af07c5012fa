# SimSiam with MSBReg's regularisers; the singular value term grows with the 2048 dimensions,
# 16 times the demo's (docs/regularized.md), and its weight falls.
_base_ = ['./simsiam_resnet50_8xb32-coslr-200e_in1k.py', '../_base_/regularized.py']

terms = _base_.regularized.terms
terms.singular_value.loss_weight = 0.0006
model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
