# The supervised row of the demo's classification report: 96 epochs of one view see as
# many views (190,000) as 24 epochs of MSBReg's four and 48 of BYOL's two.
_base_ = [
    '../_base_/models/resnet18-w16_cls.py',
    '../_base_/datasets/caltech101_80px.py',
    '../_base_/schedules/adamw_coslr_24e.py',
    '../_base_/classification_runtime.py',
]

jitter = dict(
    type='ColorJitter',
    brightness=0.4,
    contrast=0.4,
    saturation=0.2,
    hue=0.1,
    backend='cv2',
)
train_pipeline = [
    *_base_.train_pipeline[:2],
    jitter,
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), drop_last=True)
model = dict(head=dict(num_classes=99))

train_cfg = dict(max_epochs=96, val_interval=24)
_base_.param_scheduler[0].end = 8
_base_.param_scheduler[1].update(begin=8, end=96, T_max=88)
param_scheduler = _base_.param_scheduler
default_hooks = dict(checkpoint=dict(interval=24))
