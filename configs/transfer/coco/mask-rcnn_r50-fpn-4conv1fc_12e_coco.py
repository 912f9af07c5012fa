_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../../_base_/detection_runtime.py',
    '../../_base_/models/mask-rcnn_r50-fpn-4conv1fc.py',
]

# mmselfsup's 1x (0.x, which the published rows stem from) is mmdet's but for 1,000
# iterations of warm-up: by epoch, normalisation decays, no precise BN, mmdet's rules of
# matching.
_base_.param_scheduler[0].end = 1000
model = dict(
    train_cfg=dict(
        rpn=dict(assigner=dict(min_pos_iou=0.3)),
        rcnn=dict(assigner=dict(match_low_quality=True)),
    )
)
train_dataloader = dict(sampler=dict(type='DefaultSampler'))

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x (mmselfsup)',
    description='mmselfsup: SyncBN in all parts, 4conv1fc box head, 12 epochs',
)
