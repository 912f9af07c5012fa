_base_ = ['../_base_/discovery_r18-w16.py']

data_root = 'data/coco_free/'
classes = (
    'person', 'vehicle', 'outdoor', 'animal', 'accessory', 'sports',
    'kitchen', 'food', 'furniture', 'electronic', 'appliance', 'indoor',
)  # fmt: skip
images = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(
    dataset=dict(images, ann_file='annotations_coco/instances_train_super12.json')
)
val_dataloader = dict(
    dataset=dict(images, ann_file='annotations_coco/instances_val_super12.json')
)
transfer = dict(
    protocol='coco_free val: CorLoc, LOST k=100 and TokenCut tau=0.2 on layer4-d16 maps',
    description='30 COCO images, 12 classes; frozen maps of stride 16, not keys',
)
