_base_ = ['./lars_coslr_200e.py']

param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=100, T_max=90)
train_cfg = dict(max_epochs=100)
