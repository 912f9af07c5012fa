_base_ = [
    '../../../_base_/models/resnet50_frozen.py',
    '../../../_base_/datasets/places205.py',
    '../../../_base_/schedules/linear_step_28e.py',
    '../../../_base_/classification_runtime.py',
]

model = dict(head=dict(type='msbreg_mm.NormalizedLinearClsHead', num_classes=205))

transfer = dict(
    protocol='Places205 linear R50, 28 ep, normalised features',
    description='frozen; schedule of mmselfsup, head and crops of VISSL, pooled res5 only',
    metrics=[('accuracy/top1', 'top-1', 1), ('accuracy/top5', 'top-5', 1)],
)
