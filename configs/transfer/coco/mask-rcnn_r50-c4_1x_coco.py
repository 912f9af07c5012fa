_base_ = [
    '../../_base_/mask-rcnn_r50-c4_coco.py',
    '../../_base_/schedules/detection_90k.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 1x',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 90k iterations',
)
