_base_ = [
    '../../_base_/mask-rcnn_r50-c4_coco.py',
    '../../_base_/schedules/detection_180k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 2x',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 180k iterations',
)
