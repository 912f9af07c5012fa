# 90 COCO images with COCO's 12 supercategories as classes, at most 320 x 192 px.
_base_ = ['./mask-rcnn_r18-w16-fpn_20e_nuclei.py']

data_root = 'data/coco_free/'
train_json = 'annotations_coco/instances_train_super12.json'
val_json = 'annotations_coco/instances_val_super12.json'
classes = (
    'person', 'vehicle', 'outdoor', 'animal', 'accessory', 'sports',
    'kitchen', 'food', 'furniture', 'electronic', 'appliance', 'indoor',
)  # fmt: skip

images = dict(data_root=data_root, metainfo=dict(classes=classes))
for loader in (_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader):
    loader.dataset.pipeline[2].scale = (320, 192)
del loader
_base_.train_dataloader.dataset.pipeline[3] = dict(type='RandomFlip', prob=0.5)
train_dataloader = dict(dataset=dict(images, ann_file=train_json))
val_dataloader = test_dataloader = dict(dataset=dict(images, ann_file=val_json))
val_evaluator = test_evaluator = dict(ann_file=data_root + val_json)

model = dict(
    roi_head=dict(bbox_head=dict(num_classes=12), mask_head=dict(num_classes=12))
)
transfer = dict(
    protocol='coco_free: Mask R-CNN R18-w16-FPN, 90 images, 12 classes, 20 epochs',
    description='real COCO images at 320 x 192 px, nothing frozen, AdamW',
)
