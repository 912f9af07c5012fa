# DenseCL with MSBReg's regularisers.
_base_ = [
    './densecl_resnet18-w16_1xb64-coslr-10e_cifar10.py',
    '../_base_/regularized.py',
]

model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
