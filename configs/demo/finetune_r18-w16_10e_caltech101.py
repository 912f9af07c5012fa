# Full fine-tuning on 1,980 photographs of 99 classes.
_base_ = [
    '../_base_/models/resnet18-w16_cls.py',
    '../_base_/datasets/caltech101_80px.py',
    '../_base_/schedules/finetune_adamw_30e.py',
    '../_base_/classification_runtime.py',
]

train_cfg = dict(max_epochs=10, val_interval=10)
_base_.param_scheduler[1].update(end=10, T_max=10)
param_scheduler = _base_.param_scheduler
model = dict(head=dict(num_classes=99))
transfer = dict(
    protocol='Caltech-101 80 px: fine-tuning R18-w16, 1,980 images at 64 px, 10 epochs',
    description='nothing frozen, AdamW, random crops and flips',
    metrics=[('accuracy/top1', 'top-1', 1)],
)
