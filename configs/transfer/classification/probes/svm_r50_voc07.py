# VISSL's benchmark as mmselfsup runs it: images squeezed to 224 x 224 px, res5 pooled
# to 2 x 2. Resized by Pillow, as in its 0.x, which the published rows stem from.
_base_ = ['../../../_base_/datasets/voc07_cls.py', '../../../_base_/probe_r50.py']

model = dict(neck=dict(_delete_=True, type='msbreg_mm.GridPooling', kernel_size=6))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='Resize', scale=(224, 224), backend='pillow'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
# mmselfsup's eval_svm_full.sh and parse_cost_list.
costs = [1.0, 10.0, 100.0, *(0.5**power for power in range(4, 20))]
train_cfg = dict(probes=[dict(type='msbreg_mm.SVMProbe', costs=costs)])

transfer = dict(
    protocol='VOC07 linear SVM (mmselfsup)',
    description='one SVM a class on frozen 2 x 2 x 2048 features; costs by 3-fold',
    metrics=[
        ('svm/mAP_interpolated', 'mAP', 1),
        ('svm/mAP', 'mAP (scikit-learn)', 1),
    ],
)
