_base_ = [
    '../../_base_/mask-rcnn_r50-fpn_coco.py',
    '../../_base_/schedules/detection_180k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 2x, recipe (a)',
    description='MoCo: SyncBN in backbone and FPN, standard heads, 180k iterations',
)
