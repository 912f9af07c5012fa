_base_ = ['../../../_base_/datasets/voc07_cls.py', '../../../_base_/logistic_r50.py']

from msbreg_mm.datasets.official_splits import official_splits

# The official validation split chooses the penalty.
train_dataloader = dict(dataset=official_splits(_base_))
# As in ssl-transfer, an object marked difficult is no object, in fit and score.
probe = dict(type='msbreg_mm.LogisticProbe', metric='mAP', ignored_as_negative=True)
train_cfg = dict(probes=[probe])

transfer = dict(
    protocol='VOC2007 logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
    metrics=[('logistic/mAP', '11-point mAP', 1)],
)
