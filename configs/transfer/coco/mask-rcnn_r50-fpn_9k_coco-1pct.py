_base_ = ['./mask-rcnn_r50-fpn_1x_coco.py']

# Files of tools/prepare_data.py subset data/coco/annotations/instances_train2017.json
# data/coco/subsets. Another fold: --cfg-options
# train_dataloader.dataset.ann_file=subsets/instances_train2017_1pct_fold1.json.
# Schedules of the four shares are this project's choice: iterations grow about with
# the square root of the share (90k for all), steps at 2/3 and 8/9 as in 1x.
train_dataloader = dict(
    dataset=dict(ann_file='subsets/instances_train2017_1pct_fold0.json')
)
train_cfg = dict(max_iters=9000, val_interval=9000)
_base_.param_scheduler[1].milestones = [6000, 8000]

transfer = dict(
    protocol='COCO 1 % (fold 0) Mask R-CNN R50-FPN, recipe (a), 9k',
    description='recipe (a) on 1 % of the training images, 9,000 iterations',
)
