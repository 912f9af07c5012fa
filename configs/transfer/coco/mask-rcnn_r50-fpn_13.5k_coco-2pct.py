_base_ = ['./mask-rcnn_r50-fpn_9k_coco-1pct.py']

train_dataloader = dict(
    dataset=dict(ann_file='subsets/instances_train2017_2pct_fold0.json')
)
train_cfg = dict(max_iters=13500)
_base_.param_scheduler[1].milestones = [9000, 12000]

transfer = dict(
    protocol='COCO 2 % (fold 0) Mask R-CNN R50-FPN, recipe (a), 13.5k',
    description='recipe (a) on 2 % of the training images, 13,500 iterations',
)
