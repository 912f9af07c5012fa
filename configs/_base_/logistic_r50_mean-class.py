# The same, chosen and scored by the mean accuracy per class.
_base_ = ['./probe_r50.py']

train_cfg = dict(probes=[dict(type='msbreg_mm.LogisticProbe', metric='mean_class')])
transfer = dict(metrics=[('logistic/mean_class', 'mean per class', 1)])
