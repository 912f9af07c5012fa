# Mask R-CNN R50-FPN on COCO, recipe (a) of docs/protocols.md, but for the schedule.
_base_ = [
    './datasets/coco_instance_ms.py',
    './detection_iter_runtime.py',
    './models/mask-rcnn_r50-fpn.py',
]

transfer = dict(gpu_seconds=(8 * 0.261, '8 V100, detectron2 model zoo'))
