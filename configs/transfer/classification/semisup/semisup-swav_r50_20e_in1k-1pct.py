_base_ = [
    '../../../_base_/models/resnet50_cls.py',
    '../../../_base_/datasets/imagenet_cls.py',
    '../../../_base_/schedules/semisup_step_20e.py',
    '../../../_base_/classification_runtime.py',
]

train_dataloader = dict(dataset=dict(ann_file='meta/train_1percent.txt'))
data_files = ['train', 'val', 'meta/train_1percent.txt']
optim_wrapper = dict(
    optimizer=dict(lr=5.0),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.02 / 5.0))),
)

transfer = dict(
    protocol='ImageNet 1% labels R50, SwAV recipe',
    description='nothing frozen; lr 0.02, head 5, times 0.2 at 12 and 16 of 20 epochs, batch 256',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
