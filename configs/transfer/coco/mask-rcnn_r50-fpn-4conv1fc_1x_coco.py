_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/detection_precise_bn.py',
    '../../_base_/models/mask-rcnn_r50-fpn-4conv1fc.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x, recipe (b)',
    description='PyContrast: SyncBN in all parts, 4conv1fc box head, precise BN, 90k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
    gpu_seconds=None,  # not measured
)
