_base_ = [
    '../../../_base_/models/resnet50_cls.py',
    '../../../_base_/datasets/cifar100.py',
    '../../../_base_/schedules/finetune_coslr_5k.py',
    '../../../_base_/classification_iter_runtime.py',
]

model = dict(head=dict(num_classes=100))

transfer = dict(
    protocol='CIFAR-100 fine-tuning R50, 5k steps, lr 0.01',
    description="nothing frozen; ssl-transfer's schedule at one learning rate",
    metrics=[('accuracy/top1', 'top-1', 1)],
)
