# Everything but the schedule of ImageNet's linear evaluation.
_base_ = [
    './models/resnet50_frozen.py',
    './datasets/imagenet_cls.py',
    './classification_runtime.py',
]

transfer = dict(
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
