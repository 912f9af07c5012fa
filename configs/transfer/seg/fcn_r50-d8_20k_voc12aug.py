_base_ = [
    '../../_base_/models/fcn_r50-d8.py',
    '../../_base_/datasets/voc12aug_seg.py',
    '../../_base_/schedules/seg_poly_20k.py',
    '../../_base_/segmentation_runtime.py',
]

transfer = dict(
    protocol='VOC12aug FCN R50 (mmselfsup)',
    description='stride 8, second loss, crop 512, batch 16, 20k iterations, poly',
)
