_base_ = [
    '../../../_base_/models/resnet50_frozen.py',
    '../../../_base_/datasets/inat18.py',
    '../../../_base_/schedules/linear_step_28e.py',
    '../../../_base_/classification_runtime.py',
]

model = dict(head=dict(type='msbreg_mm.NormalizedLinearClsHead', num_classes=8142))

train_cfg = dict(max_epochs=84, val_interval=21)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[24, 48, 72], gamma=0.1)
]

transfer = dict(
    protocol='iNaturalist 2018 linear R50, 84 ep, normalised features',
    description='frozen; schedule of mmselfsup and VISSL, pooled res5 only',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
