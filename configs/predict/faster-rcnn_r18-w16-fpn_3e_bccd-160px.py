# Blood cells at 160 x 120 px: one run of the study in docs/results/predict.md.
_base_ = ['../demo/faster-rcnn_r18-w16-fpn_12e_bccd.py']

for loader in (_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader):
    loader.dataset.pipeline[2].scale = (160, 120)
del loader
train_cfg = dict(max_epochs=3, val_interval=3)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=3, T_max=3)
transfer = dict(
    protocol='predict, bccd: Faster R-CNN R18-w16-FPN, 205 images, 160 px, 3 epochs',
    description='real blood cells, nothing frozen, AdamW',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/bbox_mAP_50', 'AP50')],
)
