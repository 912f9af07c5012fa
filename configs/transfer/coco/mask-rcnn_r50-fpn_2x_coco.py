_base_ = ['./mask-rcnn_r50-fpn_1x_coco.py']

train_cfg = dict(max_iters=180000)
_base_.param_scheduler[1].milestones = [120000, 160000]

transfer = dict(
    protocol='COCO Mask R-CNN R50-FPN 2x, recipe (a)',
    description='MoCo: SyncBN in backbone and FPN, standard heads, 180k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
)
