_base_ = ['./mask-rcnn_r50-fpn_9k_coco-1pct.py']

train_dataloader = dict(
    dataset=dict(ann_file='subsets/instances_train2017_10pct_fold0.json')
)
train_cfg = dict(max_iters=27000)
_base_.param_scheduler[1].milestones = [18000, 24000]

transfer = dict(
    protocol='COCO 10 % (fold 0) Mask R-CNN R50-FPN, recipe (a), 27k',
    description='recipe (a) on 10 % of the training images, 27,000 iterations',
)
