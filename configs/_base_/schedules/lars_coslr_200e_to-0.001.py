# Barlow Twins' and VICReg's: the cosine ends at a thousandth of the rate, 0.2 x batch / 256.
_base_ = ['./lars_coslr_200e.py']

optim_wrapper = dict(optimizer=dict(lr=1.6))
param_scheduler = _base_.param_scheduler
param_scheduler[1].eta_min_ratio = 1e-3
auto_scale_lr = dict(base_batch_size=2048)
