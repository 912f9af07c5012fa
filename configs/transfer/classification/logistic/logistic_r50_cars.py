_base_ = ['../../../_base_/datasets/cars.py', '../../../_base_/probe_r50.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_cfg = dict(probes=[dict(type='msbreg_mm.LogisticProbe', metric='top1')])

transfer = dict(
    protocol='Stanford Cars logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
    metrics=[('logistic/top1', 'top-1', 1)],
)
