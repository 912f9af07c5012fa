# Full fine-tuning on 510 photographs of 17 flowers.
_base_ = [
    '../_base_/models/resnet18-w16_cls.py',
    '../_base_/datasets/flowers17_80px.py',
    '../_base_/schedules/finetune_adamw_30e.py',
    '../_base_/classification_runtime.py',
]

model = dict(head=dict(num_classes=17))
transfer = dict(
    protocol='Flowers-17 half: fine-tuning R18-w16, 510 images at 64 px, 30 epochs',
    description='nothing frozen, AdamW, random crops and flips',
    metrics=[('accuracy/top1', 'top-1', 1)],
)
