_base_ = [
    '../../_base_/datasets/voc2012_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/models/mask-rcnn_r50-fpn.py',
]

# This project's choice: 6k iterations (66 epochs), steps at 3/4 and 11/12 as in VOC
# detection.
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=20), mask_head=dict(num_classes=20))
)
train_cfg = dict(max_iters=6000, val_interval=3000)
_base_.param_scheduler[0].end = 100
_base_.param_scheduler[1].milestones = [4500, 5500]
default_hooks = dict(checkpoint=dict(interval=1000))

transfer = dict(
    protocol='VOC2012 instances Mask R-CNN R50-FPN, 6k',
    description='SyncBN in backbone and FPN, standard heads, train to val, 6k iterations',
)
