_base_ = ['../../../_base_/datasets/flowers102.py', '../../../_base_/probe_r50.py']

dataset = dict(_base_.train_dataloader.dataset, pipeline=_base_.test_pipeline)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',  # the official validation split chooses the penalty
        datasets=[dict(dataset, split='train'), dict(dataset, split='val')],
    )
)
train_cfg = dict(probes=[dict(type='msbreg_mm.LogisticProbe', metric='mean_class')])

transfer = dict(
    protocol='Flowers-102 logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
    metrics=[('logistic/mean_class', 'mean per class', 1)],
)
