# BYOL for a CPU, of the same shape as msbreg_resnet18-w16.py.
_base_ = ['./byol_resnet50.py']

model = dict(
    base_momentum=0.004,
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=128),
    head=dict(predictor=dict(in_channels=128, hid_channels=512, out_channels=128)),
)
