# SwAV for a CPU: 2 + 4 crops, 100 prototypes for a few thousand images (this project's
# choice).
_base_ = ['./swav_resnet50.py']

model = dict(
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=128),
    head=dict(loss=dict(num_crops=[2, 4], num_prototypes=100)),
)
