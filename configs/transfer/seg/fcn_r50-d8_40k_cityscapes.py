_base_ = [
    '../../_base_/models/fcn_r50-d8.py',
    '../../_base_/datasets/cityscapes_seg.py',
    '../../_base_/schedules/seg_poly_20k.py',
    '../../_base_/segmentation_runtime.py',
]

model = dict(
    data_preprocessor=dict(size=(769, 769)),
    decode_head=dict(num_classes=19, align_corners=True),
    auxiliary_head=dict(num_classes=19, align_corners=True),
    test_cfg=dict(mode='slide', crop_size=(769, 769), stride=(513, 513)),
)
train_cfg = dict(max_iters=40000, val_interval=4000)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=40000, by_epoch=False)
]
auto_scale_lr = dict(base_batch_size=8)

transfer = dict(
    protocol='Cityscapes FCN R50, 40k (mmselfsup)',
    description='stride 8, second loss, crop 769, batch 8, 40k iterations, poly',
)
