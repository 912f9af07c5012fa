_base_ = ['./faster-rcnn_r50-c4_24k_voc0712.py']

# mmselfsup (0.x, which the published rows stem from) trains without precise BN, and
# normalisation decays; boxes, the objects that are trained on, and the RPN's anchors and
# positives are mmdet's.
custom_hooks = []
for part in _base_.train_dataloader.dataset.datasets:
    part.type = 'VOCDataset'
del part
val_dataloader = dict(dataset=dict(type='VOCDataset'))
test_dataloader = val_dataloader
val_evaluator = dict(legacy_boxes=True)
test_evaluator = val_evaluator
model = dict(train_cfg=dict(rpn=dict(allowed_border=0, assigner=dict(min_pos_iou=0.3))))
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True))

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k (mmselfsup)',
    description='as MoCo without precise BN, and with weight decay on normalisation',
)
