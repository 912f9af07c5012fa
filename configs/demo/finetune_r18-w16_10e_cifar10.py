# Full fine-tuning on 2,000 CIFAR-10 images.
_base_ = [
    '../_base_/models/resnet18-w16_cls.py',
    '../_base_/datasets/cifar10_24k.py',
    '../_base_/schedules/finetune_adamw_30e.py',
    '../_base_/classification_runtime.py',
]

train_dataloader = dict(dataset=dict(indices=2000))
train_cfg = dict(max_epochs=10, val_interval=10)
_base_.param_scheduler[1].update(end=10, T_max=10)
param_scheduler = _base_.param_scheduler
model = dict(head=dict(num_classes=10))
transfer = dict(
    protocol='CIFAR-10 subset: fine-tuning R18-w16, 2,000 images at 48 px, 10 epochs',
    description='nothing frozen, AdamW, random crops and flips',
    metrics=[('accuracy/top1', 'top-1', 1)],
)
