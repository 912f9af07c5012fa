_base_ = ['./mask-rcnn_r50-c4_1x_coco.py']

train_cfg = dict(max_iters=180000)
_base_.param_scheduler[1].milestones = [120000, 160000]

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 2x',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 180k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
)
