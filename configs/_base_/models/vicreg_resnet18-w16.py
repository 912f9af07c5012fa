# VICReg for a CPU; it wants more dimensions than features.
_base_ = ['./vicreg_resnet50.py']

model = dict(
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=512),
)
