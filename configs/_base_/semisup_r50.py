# Everything but the schedule of fine-tuning on 1 % of ImageNet's labels.
_base_ = [
    './models/resnet50_cls.py',
    './datasets/imagenet_cls.py',
    './classification_runtime.py',
]

data_files = ['train', 'val', 'meta/train_1percent.txt']
train_dataloader = dict(dataset=dict(ann_file='meta/train_1percent.txt'))
transfer = dict(
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
