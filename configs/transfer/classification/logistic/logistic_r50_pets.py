_base_ = [
    '../../../_base_/datasets/pets.py',
    '../../../_base_/logistic_r50_mean-class.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

transfer = dict(
    protocol='Oxford-IIIT Pets logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
)
