# Only the classifier learns: no gradient and no new BatchNorm statistics below it.
_base_ = ['./resnet50_cls.py']

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
