_base_ = ['../../../_base_/datasets/imagenet_cls.py', '../../../_base_/probe_r50.py']

# Resized by Pillow, as in mmselfsup's 0.x, which the published rows stem from; its 1.x
# resizes by OpenCV, which smoothes nothing before it shrinks.
train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_cfg = dict(
    probes=[
        dict(type='msbreg_mm.KNNProbe', ks=(20, 10, 100, 200), temperatures=(0.07,))
    ]
)

transfer = dict(
    protocol='ImageNet kNN, k = 20 (mmselfsup)',
    description='weighted neighbours of frozen features, T = 0.07',
    metrics=[
        ('knn/top1', 'top-1', 1),
        ('knn/top1_k10_t0.07', 'k = 10', 1),
        ('knn/top1_k100_t0.07', 'k = 100', 1),
        ('knn/top1_k200_t0.07', 'k = 200', 1),
    ],
)
