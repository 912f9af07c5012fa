# Cell nuclei in 60 microscope images (2018 Data Science Bowl), 256 px.
_base_ = ['./mask-rcnn_r18-w16-fpn_14e_shapes.py']

data_root = 'data/nuclei_dsb2018/'
train_json = 'annotations_coco/instances_train.json'
val_json = 'annotations_coco/instances_val.json'
classes = ('nucleus',)

images = dict(data_root=data_root, metainfo=dict(classes=classes))
for loader in (_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader):
    loader.dataset.pipeline[2].scale = (256, 256)
del loader
train_dataloader = dict(dataset=dict(images, ann_file=train_json))
val_dataloader = test_dataloader = dict(dataset=dict(images, ann_file=val_json))
val_evaluator = test_evaluator = dict(ann_file=data_root + val_json)

train_cfg = dict(max_epochs=20, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=25),
    dict(type='CosineAnnealingLR', T_max=20, end=20, convert_to_iter_based=True),
]
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=1), mask_head=dict(num_classes=1))
)
transfer = dict(
    protocol='nuclei: Mask R-CNN R18-w16-FPN, 60 images, 20 epochs',
    description='real microscope images at 256 px, nothing frozen, AdamW',
)
