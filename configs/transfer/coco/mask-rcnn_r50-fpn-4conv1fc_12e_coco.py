_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../../_base_/detection_runtime.py',
    '../../_base_/models/mask-rcnn_r50-fpn-4conv1fc.py',
]

# mmselfsup's 1x is mmdet's: by epoch, normalisation decays, no precise BN.
train_dataloader = dict(sampler=dict(type='DefaultSampler'))

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 1x (mmselfsup)',
    description='mmselfsup: SyncBN in all parts, 4conv1fc box head, 12 epochs',
)
