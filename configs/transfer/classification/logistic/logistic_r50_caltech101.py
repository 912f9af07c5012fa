_base_ = ['../../../_base_/datasets/caltech101.py', '../../../_base_/probe_r50.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_cfg = dict(probes=[dict(type='msbreg_mm.LogisticProbe', metric='mean_class')])

transfer = dict(
    protocol='Caltech-101 logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
    metrics=[('logistic/mean_class', 'mean per class', 1)],
)
