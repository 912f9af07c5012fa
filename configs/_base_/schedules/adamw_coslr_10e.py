_base_ = ['./adamw_coslr_24e.py']

param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 1
param_scheduler[1].update(begin=1, end=10, T_max=9)
train_cfg = dict(max_epochs=10)
