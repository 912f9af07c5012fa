# Blood cells: the worked example of docs/new_dataset.md. Boxes only, so no mask head.
_base_ = ['./mask-rcnn_r18-w16-fpn_14e_shapes.py']

data_root = 'data/bccd_voc/'
train_json = 'annotations_coco/instances_train.json'
val_json = 'annotations_coco/instances_val.json'
classes = ('RBC', 'WBC', 'Platelets')

train = _base_.train_dataloader.dataset
val = _base_.val_dataloader.dataset
train.update(data_root=data_root, ann_file=train_json, metainfo=dict(classes=classes))
val.update(data_root=data_root, ann_file=val_json, metainfo=dict(classes=classes))
for pipeline in (train.pipeline, val.pipeline):
    pipeline[1] = dict(type='LoadAnnotations', with_bbox=True)
    pipeline[2].scale = (256, 192)
train_dataloader = dict(dataset=train)
val_dataloader = test_dataloader = dict(dataset=val)
val_evaluator = dict(ann_file=data_root + val_json, metric='bbox')
test_evaluator = val_evaluator

model = dict(
    type='FasterRCNN',
    roi_head=dict(
        type='StandardRoIHead',
        bbox_head=dict(num_classes=3),
        mask_roi_extractor=None,
        mask_head=None,
    ),
)
train_cfg = dict(max_epochs=12, val_interval=4)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=12, T_max=12)

transfer = dict(
    protocol='bccd: Faster R-CNN R18-w16-FPN, 205 images, 12 epochs',
    description='real blood cells at 256 x 192 px, nothing frozen, AdamW',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/bbox_mAP_50', 'AP50')],
)
