_base_ = ['./mask-rcnn_r50-fpn-4conv1fc_1x_coco.py']

train_cfg = dict(max_iters=180000)
_base_.param_scheduler[1].milestones = [120000, 160000]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 2x, recipe (b)',
    description='PyContrast: SyncBN in all parts, 4conv1fc box head, precise BN, 180k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
)
