# Everything but the data of logistic regression as ssl-transfer does it, by top-1.
_base_ = ['./probe_r50.py']

train_cfg = dict(probes=[dict(type='msbreg_mm.LogisticProbe', metric='top1')])
transfer = dict(metrics=[('logistic/top1', 'top-1', 1)])
