# VICReg with MSBReg's regularisers.
_base_ = ['./vicreg_resnet50_8xb256-coslr-200e_in1k.py', '../_base_/regularized.py']

model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
