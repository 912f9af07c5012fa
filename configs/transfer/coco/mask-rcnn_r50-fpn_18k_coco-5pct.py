_base_ = ['./mask-rcnn_r50-fpn_9k_coco-1pct.py']

train_dataloader = dict(
    dataset=dict(ann_file='subsets/instances_train2017_5pct_fold0.json')
)
train_cfg = dict(max_iters=18000)
_base_.param_scheduler[1].milestones = [12000, 16000]

transfer = dict(
    protocol='COCO 5 % (fold 0) Mask R-CNN R50-FPN, recipe (a), 18k',
    description='recipe (a) on 5 % of the training images, 18,000 iterations',
)
