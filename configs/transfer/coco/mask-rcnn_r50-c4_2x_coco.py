_base_ = ['./mask-rcnn_r50-c4_1x_coco.py']

train_cfg = dict(max_iters=180000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=180000,
        milestones=[120000, 160000],
        gamma=0.1,
    ),
]

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 2x',
    description='MoCo: SyncBN everywhere, extra norm after res5, 180k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
)
