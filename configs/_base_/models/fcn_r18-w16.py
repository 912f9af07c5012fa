# FCN for a CPU: ResNet-18 with 16 base channels at stride 8, a small head.
_base_ = ['./fcn_r50-d8.py']

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(depth=18, base_channels=16, stem_channels=16),
    decode_head=dict(in_channels=128, channels=64, num_convs=1, num_classes=2),
    auxiliary_head=None,
)
