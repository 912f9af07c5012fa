# detectron2's 2x: twice the iterations of 1x.
_base_ = ['./detection_90k.py']

train_cfg = dict(max_iters=180000)
_base_.param_scheduler[1].milestones = [120000, 160000]
