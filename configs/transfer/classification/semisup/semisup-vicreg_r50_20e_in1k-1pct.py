_base_ = [
    '../../../_base_/models/resnet50_cls.py',
    '../../../_base_/datasets/imagenet_cls.py',
    '../../../_base_/schedules/semisup_coslr_20e.py',
    '../../../_base_/classification_runtime.py',
]

train_dataloader = dict(dataset=dict(ann_file='meta/train_1percent.txt'))
data_files = ['train', 'val', 'meta/train_1percent.txt']
optim_wrapper = dict(
    optimizer=dict(lr=0.08),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.03 / 0.08))),
)

transfer = dict(
    protocol='ImageNet 1% labels R50, VICReg recipe',
    description='nothing frozen; lr 0.03, head 0.08, cosine, 20 epochs, batch 256',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
