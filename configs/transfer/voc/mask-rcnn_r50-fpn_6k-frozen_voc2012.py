_base_ = ['./mask-rcnn_r50-fpn_6k_voc2012.py']

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))

transfer = dict(
    protocol='VOC2012 instances Mask R-CNN R50-FPN, 6k, frozen backbone',
    description='as 6k, but the whole backbone and its BN statistics frozen',
    gpu_seconds=None,  # not measured
)
