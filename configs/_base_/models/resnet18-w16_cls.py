# The backbone of msbreg_resnet18-w16.py with a linear classifier.
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
    head=dict(
        type='LinearClsHead',
        num_classes=99,
        in_channels=128,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1,),
    ),
)
