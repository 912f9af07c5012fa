_base_ = [
    '../../_base_/mask-rcnn_r50-fpn-4conv1fc_coco.py',
    '../../_base_/schedules/detection_180k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 2x, recipe (b)',
    description='PyContrast: SyncBN in all parts, 4conv1fc box head, precise BN, 180k iterations',
)
