_base_ = [
    '../../../_base_/models/resnet50_frozen.py',
    '../../../_base_/datasets/imagenet_cls.py',
    '../../../_base_/schedules/linear_coslr_100e.py',
    '../../../_base_/classification_runtime.py',
]

transfer = dict(
    protocol='ImageNet linear R50, SwAV and Barlow Twins recipe',
    description='frozen; SGD, lr 0.3, weight decay 1e-6, batch 256, cosine, 100 epochs',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
