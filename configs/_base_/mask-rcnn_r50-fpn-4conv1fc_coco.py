# Mask R-CNN R50-FPN on COCO, recipe (b) of docs/protocols.md, but for the schedule.
_base_ = [
    './datasets/coco_instance_ms.py',
    './detection_iter_runtime.py',
    './detection_precise_bn.py',
    './models/mask-rcnn_r50-fpn-4conv1fc.py',
]
