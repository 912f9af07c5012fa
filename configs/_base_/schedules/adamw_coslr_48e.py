_base_ = ['./adamw_coslr_24e.py']

param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 4
param_scheduler[1].update(begin=4, end=48, T_max=44)
train_cfg = dict(max_epochs=48)
