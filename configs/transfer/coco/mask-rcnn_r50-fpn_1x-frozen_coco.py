_base_ = ['./mask-rcnn_r50-fpn_1x_coco.py']

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x, recipe (a), frozen backbone',
    description='as 1x, but the whole backbone and its BN statistics frozen',
    gpu_seconds=None,  # not measured
)
