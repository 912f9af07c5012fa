_base_ = [
    '../../../_base_/models/resnet50_frozen.py',
    '../../../_base_/datasets/imagenet_cls.py',
    '../../../_base_/schedules/linear_step_100e.py',
    '../../../_base_/classification_runtime.py',
]

transfer = dict(
    protocol='ImageNet linear R50, MoCo recipe',
    description='frozen; SGD, lr 30, no weight decay, batch 256, steps at 60 and 80 of 100 epochs',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
