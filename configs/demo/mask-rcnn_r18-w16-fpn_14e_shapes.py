_base_ = [
    '../_base_/models/mask-rcnn_r18-w16-fpn.py',
    '../_base_/datasets/shapes_instance.py',
    '../_base_/schedules/detection_adamw_14e.py',
    '../_base_/detection_runtime.py',
]

model = dict(
    roi_head=dict(bbox_head=dict(num_classes=7), mask_head=dict(num_classes=7))
)
transfer = dict(
    protocol='shapes: Mask R-CNN R18-w16-FPN, 200 images, 14 epochs',
    description='generated shapes at 128 px, nothing frozen, AdamW',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
)
