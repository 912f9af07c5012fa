_base_ = [
    '../../../_base_/linear_r50.py',
    '../../../_base_/schedules/linear_lars_coslr_90e.py',
]

train_dataloader = dict(batch_size=512)  # 4,096 on 8 GPUs

transfer = dict(
    protocol='ImageNet linear R50, SimSiam recipe (LARS, 90 ep)',
    description='frozen; LARS, lr 1.6, no weight decay, batch 4,096, cosine, 90 epochs',
)
