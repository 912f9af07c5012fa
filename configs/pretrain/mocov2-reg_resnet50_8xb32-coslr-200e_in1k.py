# MoCo v2 with MSBReg's regularisers.
_base_ = ['./mocov2_resnet50_8xb32-coslr-200e_in1k.py', '../_base_/regularized.py']

model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
