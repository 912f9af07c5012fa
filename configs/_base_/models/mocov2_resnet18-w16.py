# MoCo v2 for a CPU: a queue of a quarter of 4,000 images, and a key encoder that follows
# in hundreds of steps (m = 0.99); this project's choice.
_base_ = ['./mocov2_resnet50.py']

model = dict(
    queue_len=1024,
    momentum=0.01,
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=128),
)
