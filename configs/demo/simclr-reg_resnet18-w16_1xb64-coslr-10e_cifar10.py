# SimCLR with MSBReg's regularisers; larger weights, as the method's own gradient is larger.
_base_ = [
    './simclr_resnet18-w16_1xb64-coslr-10e_cifar10.py',
    '../_base_/regularized.py',
]

terms = _base_.regularized.terms
terms.singular_value.loss_weight = 0.1
terms.brownian.loss_weight = 1.0
model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
