_base_ = [
    '../../_base_/mask-rcnn_r50-fpn-4conv1fc_coco.py',
    '../../_base_/schedules/detection_90k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x, recipe (b)',
    description='PyContrast: SyncBN in all parts, 4conv1fc box head, precise BN, 90k iterations',
)
