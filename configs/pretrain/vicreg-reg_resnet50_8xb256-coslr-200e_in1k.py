# VICReg with MSBReg's regularisers; its own gradient at this shape is 19 times as large beside
# the Brownian term's as in the demo (docs/regularized.md), and so is that weight.
_base_ = ['./vicreg_resnet50_8xb256-coslr-200e_in1k.py', '../_base_/regularized.py']

terms = _base_.regularized.terms
terms.brownian.loss_weight = 2.0
model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
