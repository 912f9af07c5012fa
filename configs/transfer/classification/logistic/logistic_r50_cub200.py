_base_ = ['../../../_base_/datasets/cub200.py', '../../../_base_/logistic_r50.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

transfer = dict(
    protocol="CUB-200-2011 logistic regression R50 (ssl-transfer's method)",
    description='frozen pooled features; penalty of 45 chosen on validation images',
)
