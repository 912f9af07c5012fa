_base_ = ['../../../_base_/datasets/cifar100.py', '../../../_base_/logistic_r50.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))

transfer = dict(
    protocol='CIFAR-100 logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
)
