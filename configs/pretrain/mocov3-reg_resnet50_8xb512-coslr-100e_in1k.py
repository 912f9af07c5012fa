# MoCo v3 with MSBReg's regularisers.
_base_ = ['./mocov3_resnet50_8xb512-coslr-100e_in1k.py', '../_base_/regularized.py']

model = dict(_delete_=True, algorithm=_base_.model, **_base_.regularized)
