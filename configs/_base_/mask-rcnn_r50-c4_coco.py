# Mask R-CNN R50-C4 on COCO as MoCo trains it, but for the schedule.
_base_ = [
    './datasets/coco_instance_ms.py',
    './detection_c4_runtime.py',
    './models/mask-rcnn_r50-c4.py',
]

transfer = dict(gpu_seconds=(8 * 0.584, '8 V100, detectron2 model zoo'))
