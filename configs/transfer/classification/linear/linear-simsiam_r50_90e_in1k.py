_base_ = [
    '../../../_base_/models/resnet50_frozen.py',
    '../../../_base_/datasets/imagenet_cls.py',
    '../../../_base_/schedules/linear_lars_coslr_90e.py',
    '../../../_base_/classification_runtime.py',
]

train_dataloader = dict(batch_size=512)  # 4,096 on 8 GPUs

transfer = dict(
    protocol='ImageNet linear R50, SimSiam recipe (LARS, 90 ep)',
    description='frozen; LARS, lr 1.6, no weight decay, batch 4,096, cosine, 90 epochs',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
