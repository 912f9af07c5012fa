# MSBReg of the same shape as byol_resnet18-cifar.py, without its predictor.
_base_ = ['./msbreg_resnet50.py']

model = dict(
    backbone=dict(type='ResNet_CIFAR', depth=18),
    neck=dict(in_channels=512, hid_channels=1024, out_channels=256, with_bias=False),
)
