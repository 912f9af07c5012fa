_base_ = ['../../../_base_/datasets/dtd.py', '../../../_base_/logistic_r50.py']

from msbreg_mm.datasets.official_splits import official_splits

# The official validation split chooses the penalty.
train_dataloader = dict(dataset=official_splits(_base_))

transfer = dict(
    protocol='DTD logistic regression R50 (ssl-transfer)',
    description='frozen pooled features; penalty of 45 chosen on validation images',
)
