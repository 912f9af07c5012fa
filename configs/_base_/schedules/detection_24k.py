# MoCo's VOC schedule: 24k iterations of 16 images, 100 of warm-up.
_base_ = ['./detection_90k.py']

train_cfg = dict(max_iters=24000, val_interval=8000)
_base_.param_scheduler[0].end = 100
_base_.param_scheduler[1].milestones = [18000, 22000]
