_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/models/mask-rcnn_r50-fpn.py',
]
