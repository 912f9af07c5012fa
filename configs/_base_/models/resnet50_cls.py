# ResNet-50 with a linear classifier on its pooled features; weights N(0, 0.01), as in
# every linear evaluation of docs/protocols.md.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=50, zero_init_residual=False),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
