# MSBReg for a CPU: ResNet-18 with 16 base channels, 128-dimensional embeddings.
_base_ = ['./msbreg_resnet50.py']

model = dict(
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=128),
)
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.996
