# BYOL of lightly's CIFAR-10 benchmark: ResNet-18 with a 3 x 3 stem, heads 1024-256.
_base_ = ['./byol_resnet50.py']

model = dict(
    backbone=dict(type='ResNet_CIFAR', depth=18),
    neck=dict(in_channels=512, hid_channels=1024, out_channels=256, with_bias=False),
    head=dict(
        predictor=dict(
            in_channels=256, hid_channels=1024, out_channels=256, with_bias=False
        )
    ),
)
