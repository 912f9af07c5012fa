_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/models/mask-rcnn_r50-fpn.py',
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x, recipe (a)',
    description='MoCo: SyncBN in backbone and FPN, standard heads, 90k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
    gpu_seconds=(8 * 0.261, '8 V100, detectron2 model zoo'),
)
