# VOC2012 instances in COCO format, written by tools/prepare_data.py voc-instances
# (docs/data.md): train (1,464 images) and val (1,449), short side 480-800 as in VOC
# detection, COCO's metrics.
_base_ = ['./coco_instance_ms.py']

data_root = 'data/VOCdevkit/VOC2012/'
classes = (
    *('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair'),
    *('cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant'),
    *('sheep', 'sofa', 'train', 'tvmonitor'),
)
_base_.train_dataloader.dataset.pipeline[2].scales = [
    (1333, side) for side in range(480, 801, 32)
]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='JPEGImages/'),
        metainfo=dict(classes=classes),
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='JPEGImages/'),
        metainfo=dict(classes=classes),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = val_evaluator
transfer = dict(
    metrics=[
        ('coco/bbox_mAP', 'box AP'),
        ('coco/segm_mAP', 'mask AP'),
        ('coco/segm_mAP_50', 'mask AP50'),
    ],
)
