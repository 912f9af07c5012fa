_base_ = [
    '../../_base_/mask-rcnn_r50-fpn_coco.py',
    '../../_base_/schedules/detection_90k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x, recipe (a)',
    description='MoCo: SyncBN in backbone and FPN, standard heads, 90k iterations',
)
