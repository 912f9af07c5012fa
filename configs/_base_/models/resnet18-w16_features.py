# The backbone of msbreg_resnet18-w16.py and global average pooling: 128 features.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=16,
        base_channels=16,
        zero_init_residual=False,
    ),
    neck=dict(type='GlobalAveragePooling'),
)
